/**
 * What callers wait for: each caller's in its order, and callers in turn, so that nobody waits for more than one item of another.
 * When it is full, the last item of who has most gives way.
 */
export class FairQueue<Item> {
  /** In the order of their turns; none is empty. */
  private readonly byCaller = new Map<unknown, Item[]>()
  private count = 0

  constructor(private readonly max: number) {}

  /** Adds an item; returns the one that gave way, which may be the item itself, or null. */
  push(caller: unknown, item: Item): Item | null {
    const own = this.byCaller.get(caller) ?? []
    let loser: Item | null = null
    if (this.count >= this.max) {
      const most = this.most()
      if (most.length <= own.length + 1) return item
      loser = most.pop()!
      this.count--
    }
    own.push(item)
    this.byCaller.set(caller, own)
    this.count++
    return loser
  }

  /** Takes the next item of the caller whose turn it is. */
  shift(): Item | undefined {
    const [first] = this.byCaller
    if (first === undefined) return undefined
    const [caller, items] = first
    const item = items.shift()
    this.count--
    this.byCaller.delete(caller)
    if (items.length > 0) this.byCaller.set(caller, items)
    return item
  }

  /** Takes an item out; false when it is not there. */
  remove(caller: unknown, item: Item): boolean {
    const items = this.byCaller.get(caller) ?? []
    const at = items.indexOf(item)
    if (at < 0) return false
    items.splice(at, 1)
    this.count--
    if (items.length === 0) this.byCaller.delete(caller)
    return true
  }

  private most(): Item[] {
    let most: Item[] = []
    for (const items of this.byCaller.values()) if (items.length > most.length) most = items
    return most
  }
}
