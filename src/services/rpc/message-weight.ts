/** Most values in one message or batch: a thousand calls with two hundred each. */
const maxValues = 200_000
/** What one takes in memory, whatever few characters stood for it. */
const bytesOfValue = 64

/** Bytes that a parsed message takes besides its text; null when it holds more values than a message may. */
export function messageWeight(message: unknown): number | null {
  let values = 0
  const open = [message]
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    const items = Object.values(value as object)
    values += items.length
    if (values > maxValues) return null
    for (const item of items) if (typeof item === 'object' && item !== null) open.push(item)
  }
  return values * bytesOfValue
}
