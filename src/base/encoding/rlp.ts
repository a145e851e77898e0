import { DecodeError } from './decode-error.js'

/** What RLP encodes: a byte string or a list of items (Ethereum yellow paper, appendix B). */
export type RlpItem = Uint8Array | readonly RlpItem[]

const maxDepth = 16

/** Canonical RLP of an item. */
export function encodeRlp(item: RlpItem): Uint8Array {
  const out = new Uint8Array(encodedLength(item))
  write(item, out, 0)
  return out
}

function payloadLength(list: readonly RlpItem[]): number {
  let length = 0
  for (const item of list) length += encodedLength(item)
  return length
}

function encodedLength(item: RlpItem): number {
  if (item instanceof Uint8Array) {
    if (item.length === 1 && item[0]! < 0x80) return 1
    return prefixLength(item.length) + item.length
  }
  const length = payloadLength(item)
  return prefixLength(length) + length
}

function prefixLength(length: number): number {
  return length < 56 ? 1 : 1 + byteLength(length)
}

function byteLength(value: number): number {
  let bytes = 1
  for (let rest = value; rest >= 256; rest = Math.floor(rest / 256)) bytes++
  return bytes
}

function writePrefix(base: number, length: number, out: Uint8Array, at: number): number {
  if (length < 56) {
    out[at] = base + length
    return at + 1
  }
  const bytes = byteLength(length)
  out[at] = base + 55 + bytes
  let rest = length
  for (let i = bytes; i > 0; i--) {
    out[at + i] = rest % 256
    rest = Math.floor(rest / 256)
  }
  return at + 1 + bytes
}

function write(item: RlpItem, out: Uint8Array, at: number): number {
  if (item instanceof Uint8Array) {
    if (item.length === 1 && item[0]! < 0x80) {
      out[at] = item[0]!
      return at + 1
    }
    const start = writePrefix(0x80, item.length, out, at)
    out.set(item, start)
    return start + item.length
  }
  let next = writePrefix(0xc0, payloadLength(item), out, at)
  for (const child of item) next = write(child, out, next)
  return next
}

/**
 * Decodes one item that fills the whole input. Byte strings are views into the input. Refuses whatever the canonical
 * encoder would not write, nesting deeper than 16 and more items than `maxItems`: an item costs some hundred bytes, also one of
 * a single byte. @throws DecodeError
 */
export function decodeRlp(bytes: Uint8Array, { maxItems = Number.POSITIVE_INFINITY } = {}): RlpItem {
  const { item, end } = read(bytes, { at: 0, limit: bytes.length, depth: 0 }, { left: maxItems })
  if (end !== bytes.length) throw new DecodeError('RLP has bytes after its end', { end, length: bytes.length })
  return item
}

/**
 * The encodings of the items of one list that fills the whole input, as views into it. They are not looked into: that costs
 * only as much as there are items, however much is nested in them. @throws DecodeError also for more items than `maxItems`
 */
export function splitRlpList(bytes: Uint8Array, { maxItems = Number.POSITIVE_INFINITY } = {}): readonly Uint8Array[] {
  if (bytes.length === 0 || bytes[0]! < 0xc0) throw new DecodeError('RLP is no list')
  const { start, end } = span(bytes, 0, bytes.length, 0xc0)
  if (end !== bytes.length) throw new DecodeError('RLP has bytes after its end', { end, length: bytes.length })
  const items: Uint8Array[] = []
  for (let at = start; at < end; ) {
    if (items.length >= maxItems) throw new DecodeError('RLP has too many items', { maxItems })
    const next = endOf(bytes, at, end)
    items.push(bytes.subarray(at, next))
    at = next
  }
  return items
}

function endOf(bytes: Uint8Array, at: number, limit: number): number {
  const first = bytes[at]!
  if (first < 0x80) return at + 1
  return span(bytes, at, limit, first < 0xc0 ? 0x80 : 0xc0).end
}

function read(
  bytes: Uint8Array,
  { at, limit, depth }: { at: number; limit: number; depth: number },
  budget: { left: number },
): { item: RlpItem; end: number } {
  if (at >= limit) throw new DecodeError('RLP ends early', { at })
  if (budget.left-- <= 0) throw new DecodeError('RLP has too many items', { at })
  const first = bytes[at]!
  if (first < 0x80) return { item: bytes.subarray(at, at + 1), end: at + 1 }
  if (first < 0xc0) {
    const { start, end } = span(bytes, at, limit, 0x80)
    if (end - start === 1 && bytes[start]! < 0x80) throw new DecodeError('RLP byte string is not canonical', { at })
    return { item: bytes.subarray(start, end), end }
  }
  if (depth >= maxDepth) throw new DecodeError('RLP is nested too deep', { at })
  const { start, end } = span(bytes, at, limit, 0xc0)
  const list: RlpItem[] = []
  for (let next = start; next < end; ) {
    const child = read(bytes, { at: next, limit: end, depth: depth + 1 }, budget)
    list.push(child.item)
    next = child.end
  }
  return { item: list, end }
}

function span(bytes: Uint8Array, at: number, limit: number, base: number): { start: number; end: number } {
  const short = bytes[at]! - base
  let start = at + 1
  let length = short
  if (short > 55) {
    const lengthBytes = short - 55
    if (lengthBytes > 6 || start + lengthBytes > limit) throw new DecodeError('RLP ends early', { at })
    if (bytes[start] === 0) throw new DecodeError('RLP length has a leading zero', { at })
    length = 0
    for (let i = 0; i < lengthBytes; i++) length = length * 256 + bytes[start + i]!
    if (length < 56) throw new DecodeError('RLP length is not canonical', { at })
    start += lengthBytes
  }
  const end = start + length
  if (end > limit) throw new DecodeError('RLP ends early', { at })
  return { start, end }
}
