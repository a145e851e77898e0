import type { Address } from '../primitives/hashes.js'

/** Parameters that all nodes of one network share (protocol.md section 8); the network file may override each. */
export interface ProtocolParameters {
  readonly minSequencers: number
  readonly maxSequencers: number
  readonly minBlockIntervalMs: number
  readonly emptyBlockIntervalMs: number
  /** How far a proposal's timestamp may be from a validator's clock. */
  readonly maxClockDriftMs: number
  readonly gasLimit: number
  /** Most bytes of transactions in a block. */
  readonly maxBlockTransactionBytes: number
  readonly proposeTimeoutMs: number
  readonly proposeTimeoutDeltaMs: number
  readonly voteTimeoutMs: number
  readonly voteTimeoutDeltaMs: number
  readonly maxTimeoutMs: number
  readonly batchBlocks: number
  readonly batchIntervalMs: number
  readonly maxBlobsPerBatch: number
  /** L1 blocks behind the L1 head that an origin must be, or 'finalized'. */
  readonly l1Confirmations: number | 'finalized'
  readonly maxL1LagSec: number
  /** Most L1 messages that one block consumes. */
  readonly maxMessagesPerBlock: number
  readonly forcedInclusionWindowSec: number
  readonly submitterTurnSec: number
  readonly challengeWindowSec: number
  readonly unbondingSec: number
}

/** The parameters that an upgrade may change: the others are fixed in the L1 contracts or by genesis (spec/upgrades.md). */
export const upgradableParameters = [
  'minBlockIntervalMs',
  'emptyBlockIntervalMs',
  'maxClockDriftMs',
  'gasLimit',
  'maxBlockTransactionBytes',
  'proposeTimeoutMs',
  'proposeTimeoutDeltaMs',
  'voteTimeoutMs',
  'voteTimeoutDeltaMs',
  'maxTimeoutMs',
  'batchBlocks',
  'batchIntervalMs',
  'maxL1LagSec',
  'maxMessagesPerBlock',
] as const satisfies readonly (keyof ProtocolParameters)[]
/** New values of some of them. */
export type ParameterChange = Partial<Pick<ProtocolParameters, (typeof upgradableParameters)[number]>>

/** Defaults of a public network. */
export const defaultParameters: ProtocolParameters = {
  minSequencers: 4,
  maxSequencers: 128,
  minBlockIntervalMs: 100,
  emptyBlockIntervalMs: 5_000,
  maxClockDriftMs: 500,
  gasLimit: 30_000_000,
  maxBlockTransactionBytes: 700_000,
  proposeTimeoutMs: 1_000,
  proposeTimeoutDeltaMs: 250,
  voteTimeoutMs: 400,
  voteTimeoutDeltaMs: 100,
  maxTimeoutMs: 10_000,
  batchBlocks: 600,
  batchIntervalMs: 60_000,
  maxBlobsPerBatch: 6,
  l1Confirmations: 'finalized',
  maxL1LagSec: 900,
  maxMessagesPerBlock: 64,
  forcedInclusionWindowSec: 6 * 3_600,
  submitterTurnSec: 120,
  challengeWindowSec: 48 * 3_600,
  unbondingSec: 7 * 86_400,
}

/** Defaults of a devnet: short windows, one sequencer is enough. */
export const devnetParameters: ProtocolParameters = {
  ...defaultParameters,
  minSequencers: 1,
  batchIntervalMs: 10_000,
  l1Confirmations: 1,
  maxL1LagSec: 10,
  forcedInclusionWindowSec: 60,
  submitterTurnSec: 20,
  challengeWindowSec: 30,
  unbondingSec: 120,
}

/** Predeploy that keeps recycled base fees (protocol.md section 6). */
export const feeVaultAddress: Address = '0x4200000000000000000000000000000000000011'
/** Predeploy with the tree of L2-to-L1 messages; storage slot 0 is its root. */
export const outboxAddress: Address = '0x4200000000000000000000000000000000000016'
