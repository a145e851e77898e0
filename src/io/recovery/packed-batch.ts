/**
 * Bytes of many transactions in one buffer that changes threads without a copy: count, then the lengths (32 bits each,
 * little-endian), then the transactions one after the other.
 */
export function packBatch(transactions: readonly Uint8Array[]): ArrayBuffer {
  const header = 4 * (transactions.length + 1)
  let total = header
  for (const raw of transactions) total += raw.length
  const buffer = new ArrayBuffer(total)
  const bytes = new Uint8Array(buffer)
  const lengths = new Uint32Array(buffer, 0, transactions.length + 1)
  lengths[0] = transactions.length
  let at = header
  for (let i = 0; i < transactions.length; i++) {
    const raw = transactions[i]!
    lengths[i + 1] = raw.length
    bytes.set(raw, at)
    at += raw.length
  }
  return buffer
}

/** The transactions of `packBatch` as views into the buffer. */
export function unpackBatch(buffer: ArrayBuffer): Uint8Array[] {
  const count = new Uint32Array(buffer, 0, 1)[0]!
  const lengths = new Uint32Array(buffer, 4, count)
  const transactions: Uint8Array[] = []
  let at = 4 * (count + 1)
  for (const length of lengths) {
    transactions.push(new Uint8Array(buffer, at, length))
    at += length
  }
  return transactions
}
