import type { Logger } from '../../io/telemetry/logger.js'

/** Less than supervisors wait (Docker ten seconds) before they kill, which any moment of a node must outlive. */
const stopLimitMs = 7_000

/**
 * Parts of a node in the order they were started; they are stopped in reverse order, each joined, whatever the others do. One
 * that hangs is waited for until `limitMs` have passed since the stop began; it and those before it are then left as they are.
 */
export class Lifecycle {
  private readonly parts: { readonly name: string; readonly stop: () => PromiseLike<void> }[] = []
  private stopping: Promise<void> | null = null
  /** The part that is being stopped. */
  private current: string | null = null

  constructor(
    private readonly logger: Logger,
    private readonly limitMs = stopLimitMs,
  ) {}

  own(name: string, stop: () => PromiseLike<void>): void {
    this.parts.push({ name, stop })
  }

  stop(): Promise<void> {
    this.stopping ??= this.stopInTime()
    return this.stopping
  }

  private stopInTime(): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(() => {
        this.logger.error('a part does not stop: the node ends as it is', { part: this.current })
        resolve()
      }, this.limitMs)
      void this.stopAll().then(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  private async stopAll(): Promise<void> {
    for (const { name, stop } of this.parts.reverse()) {
      this.current = name
      try {
        await stop()
      } catch (error) {
        this.logger.error('a part did not stop cleanly', { part: name, error })
      }
    }
  }
}

/** How a node gives up in order: logged, every part stopped, then told. What nothing handles ends it at once instead (`endOnUncaught`). */
export function failure({
  logger,
  lifecycle,
  stopping,
}: {
  logger: Logger
  lifecycle: Lifecycle
  stopping: AbortController
}): { failed: Promise<void>; fail: (error: unknown) => void } {
  let tell: () => void = () => {}
  const failed = new Promise<void>(resolve => {
    tell = resolve
  })
  return {
    failed,
    fail(error) {
      if (stopping.signal.aborted) return
      stopping.abort()
      logger.error('the node must stop', { error })
      void lifecycle.stop().then(tell)
    },
  }
}
