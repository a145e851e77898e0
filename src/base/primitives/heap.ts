/** A binary heap: the first by `isBefore` is on top. */
export class Heap<Item> {
  private constructor(
    private readonly items: Item[],
    private readonly isBefore: (a: Item, b: Item) => boolean,
  ) {
    for (let at = (items.length >> 1) - 1; at >= 0; at--) this.siftDown(at)
  }

  /** In time linear in the number of items; the array belongs to the heap from then on. */
  static of<Item>(items: Item[], isBefore: (a: Item, b: Item) => boolean): Heap<Item> {
    return new Heap(items, isBefore)
  }

  get size(): number {
    return this.items.length
  }

  get top(): Item | undefined {
    return this.items[0]
  }

  push(item: Item): void {
    const { items } = this
    let at = items.length
    items.push(item)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.isBefore(item, items[parent]!)) break
      items[at] = items[parent]!
      at = parent
    }
    items[at] = item
  }

  pop(): Item | undefined {
    const { items } = this
    const top = items[0]
    const last = items.pop()
    if (items.length > 0) {
      items[0] = last!
      this.siftDown(0)
    }
    return top
  }

  /** Puts the top where it belongs after a change of it. */
  topChanged(): void {
    this.siftDown(0)
  }

  private siftDown(from: number): void {
    const { items, isBefore } = this
    const moving = items[from]!
    let at = from
    for (;;) {
      let child = 2 * at + 1
      if (child >= items.length) break
      if (child + 1 < items.length && isBefore(items[child + 1]!, items[child]!)) child++
      if (!isBefore(items[child]!, moving)) break
      items[at] = items[child]!
      at = child
    }
    items[at] = moving
  }
}
