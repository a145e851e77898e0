/** A map that forgets what was least recently used when it holds more than `capacity` entries. */
export class BoundedMap<Key, Value> {
  private readonly entries = new Map<Key, Value>()
  constructor(private readonly capacity: number) {}

  get(key: Key): Value | undefined {
    const value = this.entries.get(key)
    if (value === undefined) return undefined
    this.entries.delete(key)
    this.entries.set(key, value)
    return value
  }

  set(key: Key, value: Value): void {
    this.entries.delete(key)
    this.entries.set(key, value)
    if (this.entries.size > this.capacity) {
      const [oldest] = this.entries.keys()
      this.entries.delete(oldest!)
    }
  }

  delete(key: Key): void {
    this.entries.delete(key)
  }
}
