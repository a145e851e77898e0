import { closeSync, openSync, writeSync } from 'node:fs'
import type { Height } from '../../base/primitives/quantities.js'
import type { Logger } from '../../io/telemetry/logger.js'
import type { Clock } from '../../io/time/clock.js'
import type { Application } from '../../services/sequencer/application.js'
import { type ApplicationEvent, observeApplication } from '../../services/sequencer/observed-application.js'

/** Name of the file in a data directory. */
export const applicationTraceName = 'application-trace'

/** A line of a trace: a call or an answer, or the begin of a run of the node, with the number of the head block then. */
export type TraceRecord = { readonly atMs: number; readonly head: Height } & (ApplicationEvent | { event: 'run' })

/** As it stands in the file; a run begins on a line of its own, whatever the last run left behind when it was killed. */
export const traceLine = (record: TraceRecord): string =>
  `${record.event === 'run' ? '\n' : ''}${JSON.stringify(record)}\n`

/**
 * Appends every call of the application to a file, as lines of JSON. Each is written at once, so that `kill -9` loses none.
 * Only for who asked for it: it is never emptied. A file that cannot be written ends the trace, not the node.
 */
export class ApplicationTrace {
  private file: number | null

  /** @throws a system error */
  constructor(
    path: string,
    private readonly ports: { readonly clock: Clock; readonly logger: Logger },
  ) {
    this.file = openSync(path, 'a', 0o600)
  }

  /** The same application, traced as one run; `head` is the number of the head block. */
  watch(application: Application, head: () => Height): Application {
    this.write({ atMs: this.ports.clock.nowMs(), head: head(), event: 'run' })
    return observeApplication(application, event =>
      this.write({ atMs: this.ports.clock.nowMs(), head: head(), ...event }),
    )
  }

  close(): void {
    if (this.file !== null) closeSync(this.file)
    this.file = null
  }

  private write(record: TraceRecord): void {
    if (this.file === null) return
    try {
      writeSync(this.file, traceLine(record))
    } catch (error) {
      this.ports.logger.error('the trace of the application cannot be written: it ends here', { error })
      this.close()
    }
  }
}
