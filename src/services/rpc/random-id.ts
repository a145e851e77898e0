import { randomBytes } from 'node:crypto'
import type { Hex } from '../../base/primitives/bytes.js'

/** An identifier of a filter or subscription that nobody can guess: 128 random bits as a quantity, as geth's. */
export function randomId(): Hex {
  return `0x${randomBytes(16)
    .toString('hex')
    .replace(/^0+(?=.)/, '')}`
}
