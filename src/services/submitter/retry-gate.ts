import type { BatchIndex } from '../../base/primitives/quantities.js'

/** Keeps a batch that failed from being tried again at once: the pause doubles with each failure, another batch starts anew. */
export class RetryGate {
  private failures = 0
  private index: BatchIndex = -1
  private openMs = 0

  constructor(private readonly pauses: { readonly firstMs: number; readonly longestMs: number }) {}

  isOpen(index: BatchIndex, nowMs: number): boolean {
    return index !== this.index || nowMs >= this.openMs
  }

  close(index: BatchIndex, nowMs: number): void {
    this.failures = index === this.index ? this.failures + 1 : 0
    this.index = index
    this.openMs = nowMs + Math.min(this.pauses.firstMs * 2 ** Math.min(this.failures, 16), this.pauses.longestMs)
  }
}
