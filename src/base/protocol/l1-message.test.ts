import { expect, it } from 'vitest'
import { type Hex, hexToBytes } from '../primitives/bytes.js'
import { zeroHash } from '../primitives/hashes.js'
import { messageHash, nextRollingHash } from './l1-message.js'
import { readVectors } from './vectors.fixture.js'

interface QueueVectors {
  readonly emptyRollingHash: Hex
  readonly messages: readonly (Readonly<Record<'index' | 'amount', string>> &
    Readonly<Record<'sender' | 'to' | 'data' | 'messageHash' | 'rollingHash', Hex>> & { readonly kind: number })[]
}

it('messages have the hashes of the vectors, and the queue their rolling hashes', () => {
  const { emptyRollingHash, messages } = readVectors<QueueVectors>('message-queue')
  expect(emptyRollingHash).toBe(zeroHash)
  expect(messages.length).toBeGreaterThan(0)
  let rolling = emptyRollingHash
  for (const { kind, index, sender, to, amount, data, ...expected } of messages) {
    const message = { kind, index: Number(index), sender, to, amount: BigInt(amount), data: hexToBytes(data) }
    expect(messageHash(message)).toBe(expected.messageHash)
    rolling = nextRollingHash(rolling, message)
    expect(rolling).toBe(expected.rollingHash)
  }
})
