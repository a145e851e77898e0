import type { Flavored } from './flavor.js'

/** Number of an L2 block; genesis is 0. */
export type Height = Flavored<number, 'Height'>
/** Attempt to decide one height, from 0. */
export type Round = Flavored<number, 'Round'>
/** Number of a sequencer set in the L1 registry, from 1. */
export type SetId = Flavored<number, 'SetId'>
/** Position of a batch; batch 0 is genesis. */
export type BatchIndex = Flavored<number, 'BatchIndex'>
/** Number of an L1 block. */
export type L1BlockNumber = Flavored<number, 'L1BlockNumber'>
/** Position of a member in its sequencer set. */
export type MemberIndex = Flavored<number, 'MemberIndex'>
/** 10^-18 ETH. */
export type Wei = Flavored<bigint, 'Wei'>
/** 10^9 wei. */
export type Gwei = Flavored<bigint, 'Gwei'>
/** Voting power: stake in gwei, fits 64 bits. */
export type Power = Flavored<bigint, 'Power'>

/** Wei in one gwei. */
export const weiPerGwei = 1_000_000_000n
