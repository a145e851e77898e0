import type { Hex } from './bytes.js'
import type { Flavored } from './flavor.js'

/** Any 32-byte value as lower-case hex. */
export type Hash32 = Hex
export type BlockHash = Flavored<Hex, 'BlockHash'>
export type TransactionHash = Flavored<Hex, 'TransactionHash'>
export type BatchHash = Flavored<Hex, 'BatchHash'>
export type ContextHash = Flavored<Hex, 'ContextHash'>
export type StateRoot = Flavored<Hex, 'StateRoot'>
export type L1BlockHash = Flavored<Hex, 'L1BlockHash'>
/** 20-byte account address as lower-case hex. */
export type Address = Flavored<Hex, 'Address'>

/** 32 zero bytes: nil in a vote, absent elsewhere. */
export const zeroHash: Hash32 = `0x${'0'.repeat(64)}`
/** 20 zero bytes. */
export const zeroAddress = `0x${'0'.repeat(40)}` as Address
