import { write, writeSync } from 'node:fs'

/** Bytes after which waiting lines are written without waiting for the timer. */
const promptBytes = 4_096
const flushAfterMs = 100
/** Bytes that may wait for a slow reader; further lines are dropped. */
const maxWaitingBytes = 1 << 20
/** How long the end of the process waits for a slow reader. */
const maxExitWaitMs = 1_000
const retryMs = 10

/**
 * Writes lines to a file or pipe off the hot path: gathered, then written in one call. Whatever goes wrong (a full disk, a
 * reader that is gone or slow) costs lines, never the process: pino's own destination would write to a closed pipe for ever.
 */
export class LineWriter {
  private waiting: string[] = []
  private waitingBytes = 0
  private isWriting = false
  private timer: NodeJS.Timeout | null = null

  constructor(private readonly fd: number) {}

  /** Takes a line with its end. */
  write(line: string): void {
    if (this.waitingBytes > maxWaitingBytes) return
    this.waiting.push(line)
    this.waitingBytes += line.length
    if (this.waitingBytes >= promptBytes) this.flush()
    else this.later()
  }

  /** Writes what waits before it returns: for the end of the process. */
  flushSync(): void {
    let rest = this.take()
    const until = Date.now() + maxExitWaitMs
    while (rest.length > 0) {
      try {
        rest = rest.subarray(writeSync(this.fd, rest))
      } catch (error) {
        if (!isBusy(error) || Date.now() > until) return
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, retryMs)
      }
    }
  }

  private later(): void {
    if (this.timer || this.isWriting) return
    this.timer = setTimeout(() => {
      this.timer = null
      this.flush()
    }, flushAfterMs)
    this.timer.unref()
  }

  private flush(): void {
    if (this.isWriting || this.waiting.length === 0) return
    this.isWriting = true
    this.writeOut(this.take())
  }

  private writeOut(bytes: Buffer): void {
    write(this.fd, bytes, (error, written) => {
      const rest = error ? bytes : bytes.subarray(written)
      if (rest.length > 0 && (!error || isBusy(error))) {
        setTimeout(() => this.writeOut(rest), error ? retryMs : 0)
        return
      }
      this.isWriting = false
      if (this.waiting.length > 0) this.later()
    })
  }

  private take(): Buffer {
    const bytes = Buffer.from(this.waiting.join(''))
    this.waiting = []
    this.waitingBytes = 0
    return bytes
  }
}

function isBusy(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'EAGAIN' || code === 'EBUSY'
}
