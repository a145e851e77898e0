/** Most brackets, commas and strings in one message or batch: a thousand calls with fifty each. */
const maxParts = 50_000
/** Most characters that are in no string, or in a string after its first escape: a plain string is read at once, and may be long. */
const maxLooks = 1_000_000
/** What a part takes in memory, whatever few characters stood for it. */
const bytesOfPart = 64

const quote = 0x22
const comma = 0x2c
const bracket = 0x5b
const backslash = 0x5c
const brace = 0x7b

/**
 * Bytes that a message takes besides its text once it is parsed; null when it holds more than a message may. Read off the text,
 * for parsing takes long: each value but the first of a list or object follows a comma, and each first one its bracket.
 */
export function messageWeight(text: string): number | null {
  let parts = 0
  let looks = 0
  let nextEscape = text.indexOf('\\')
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (++looks > maxLooks) return null
    if (code === quote) {
      let end = text.indexOf('"', at + 1)
      if (nextEscape >= 0 && nextEscape < at) nextEscape = text.indexOf('\\', at)
      if (nextEscape >= 0 && nextEscape < end) {
        for (end = nextEscape; end < text.length && text.charCodeAt(end) !== quote; end++) {
          if (looks > maxLooks) return null
          if (text.charCodeAt(end) === backslash) end++
          looks++
        }
      }
      if (end < 0) break
      at = end
    } else if (code !== comma && code !== bracket && code !== brace) continue
    if (++parts > maxParts) return null
  }
  return parts * bytesOfPart
}
