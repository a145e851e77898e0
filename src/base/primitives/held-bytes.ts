/** What a small buffer costs beside its content, in bytes (measured); counts where others choose how many there are. */
export const bufferBytes = 512

/**
 * Bounds what others hold in this node's memory, by what they began and do not end or asked for and do not take: when it is
 * too much in all, whoever holds most is given up.
 */
export class HeldBytes<Holder> {
  private readonly heldBy = new Map<Holder, number>()
  private total = 0

  constructor(
    /** Most bytes of all holders together. */
    private readonly maxBytes: number,
    private readonly giveUp: (holder: Holder) => void,
  ) {}

  /** Says how many bytes a holder holds now; 0 forgets it. */
  set(holder: Holder, bytes: number): void {
    const before = this.heldBy.get(holder) ?? 0
    if (bytes === before) return
    this.total += bytes - before
    if (bytes > 0) this.heldBy.set(holder, bytes)
    else this.heldBy.delete(holder)
    while (this.total > this.maxBytes) {
      const [most] = [...this.heldBy].reduce((a, b) => (b[1] > a[1] ? b : a))
      this.set(most, 0)
      this.giveUp(most)
    }
  }
}
