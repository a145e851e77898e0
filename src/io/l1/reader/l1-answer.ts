import type { Hash32 } from '../../../base/primitives/hashes.js'
import type { L1Block } from '../l1-client.js'
import { L1Error } from '../l1-error.js'

const hashForm = /^0x[0-9a-f]{64}$/
const quantityForm = /^0x[0-9a-f]{1,14}$/i

/** A 32-byte hash of an answer of L1, in lower case. @throws L1Error L1_BAD_ANSWER */
export function readHash(value: unknown): Hash32 {
  const hash = typeof value === 'string' ? value.toLowerCase() : ''
  if (!hashForm.test(hash)) throw new L1Error('L1_BAD_ANSWER', 'L1 gave something that is no hash')
  return hash as Hash32
}

/** A quantity of an answer of L1 that is a safe integer: hex of JSON-RPC, or what viem made of it. @throws L1Error L1_BAD_ANSWER */
export function readQuantity(value: unknown): number {
  const number =
    typeof value === 'bigint' || (typeof value === 'string' && quantityForm.test(value)) ? Number(value) : -1
  if (!Number.isSafeInteger(number) || number < 0)
    throw new L1Error('L1_BAD_ANSWER', 'L1 gave something that is no quantity')
  return number
}

/** The header in an answer to eth_getBlockByNumber. @throws L1Error L1_BAD_ANSWER */
export function readBlock(answer: unknown): L1Block {
  if (typeof answer !== 'object' || answer === null)
    throw new L1Error('L1_BAD_ANSWER', 'L1 gave something that is no block')
  const { number, hash, parentHash, timestamp } = answer as Record<string, unknown>
  return {
    number: readQuantity(number),
    hash: readHash(hash),
    parentHash: readHash(parentHash),
    timestamp: readQuantity(timestamp),
  }
}
