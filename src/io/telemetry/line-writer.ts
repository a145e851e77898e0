import { fstatSync, write, writeSync } from 'node:fs'
import { Socket } from 'node:net'

/** Bytes after which waiting lines are written without waiting for the timer. */
const promptBytes = 4_096
const flushAfterMs = 100
/** Bytes that may wait for a slow reader; further lines are dropped. */
const maxWaitingBytes = 1 << 20
/** How long the end of the process waits for a slow reader. */
const maxExitWaitMs = 1_000
const retryMs = 10
const nothing = Buffer.alloc(0)

/**
 * Writes lines to a file or pipe off the hot path: gathered, then written in one call. Whatever goes wrong (a full disk, a
 * reader that is gone, slow or stuck) costs lines, never the process: pino's own destination would write to a closed pipe for
 * ever, and a full pipe that blocks would hold the process at its very end.
 */
export class LineWriter {
  private waiting: string[] = []
  private waitingBytes = 0
  /** What was taken from the lines that wait and is not written yet. */
  private rest: Buffer = nothing
  /** The thread pool has the rest, and writes it even when the process exits meanwhile. */
  private isInPool = false
  private timer: NodeJS.Timeout | null = null
  private readonly neverBlocks: boolean

  /** A pipe or socket is set to block no writer, whoever else shares it. */
  constructor(private readonly fd: number) {
    this.neverBlocks = unblock(fd)
  }

  /** Takes a line with its end. */
  write(line: string): void {
    if (this.waitingBytes > maxWaitingBytes) return
    this.waiting.push(line)
    this.waitingBytes += line.length
    if (this.rest.length > 0) return
    if (this.waitingBytes >= promptBytes) this.flush()
    else this.flushIn(flushAfterMs)
  }

  /** Writes what waits before it returns: for the end of the process. */
  flushSync(): void {
    let bytes = this.take()
    if (!this.isInPool) {
      bytes = Buffer.concat([this.rest, bytes])
      this.rest = nothing
    }
    const until = Date.now() + maxExitWaitMs
    while (bytes.length > 0) {
      try {
        bytes = bytes.subarray(writeSync(this.fd, bytes))
      } catch (error) {
        if (!isBusy(error) || Date.now() > until) return
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, retryMs)
      }
    }
  }

  private flushIn(delayMs: number): void {
    if (this.timer) return
    this.timer = setTimeout(() => this.flush(), delayMs)
    this.timer.unref()
  }

  private flush(): void {
    clearTimeout(this.timer ?? undefined)
    this.timer = null
    if (this.isInPool) return
    if (this.rest.length === 0) this.rest = this.take()
    if (this.rest.length === 0) return
    if (this.neverBlocks) this.writeNow()
    else this.writeInPool()
  }

  private writeNow(): void {
    try {
      this.wrote(null, writeSync(this.fd, this.rest))
    } catch (error) {
      this.wrote(error, 0)
    }
  }

  private writeInPool(): void {
    this.isInPool = true
    write(this.fd, this.rest, (error, written) => {
      this.isInPool = false
      this.wrote(error, written)
    })
  }

  private wrote(error: unknown, written: number): void {
    if (error && !isBusy(error)) this.rest = nothing
    else if (!error) this.rest = this.rest.subarray(written)
    if (this.rest.length > 0) this.flushIn(error ? retryMs : 0)
    else if (this.waiting.length > 0) this.flushIn(flushAfterMs)
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

/** Has a full pipe or socket refuse bytes at once instead of holding the writer; false when the descriptor may block. */
function unblock(fd: number): boolean {
  try {
    const stat = fstatSync(fd)
    if (!stat.isFIFO() && !stat.isSocket()) return false
    // Nothing is read or written through it: what counts is that libuv sets O_NONBLOCK on what it adopts.
    new Socket({ fd, readable: false }).unref()
    return true
  } catch {
    return false
  }
}
