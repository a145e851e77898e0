import type { Logger } from '../../io/telemetry/logger.js'

/** Parts of a node in the order they were started; they are stopped in reverse order, each joined, whatever the others do. */
export class Lifecycle {
  private readonly parts: { readonly name: string; readonly stop: () => PromiseLike<void> }[] = []
  private stopping: Promise<void> | null = null

  constructor(private readonly logger: Logger) {}

  own(name: string, stop: () => PromiseLike<void>): void {
    this.parts.push({ name, stop })
  }

  stop(): Promise<void> {
    this.stopping ??= this.stopAll()
    return this.stopping
  }

  private async stopAll(): Promise<void> {
    for (const { name, stop } of this.parts.reverse()) {
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
