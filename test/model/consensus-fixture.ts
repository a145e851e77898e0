import { BlsSecretKey } from '../../src/base/crypto/bls.js'
import { type BlockHash, zeroHash } from '../../src/base/primitives/hashes.js'
import type { Proposal } from '../../src/base/protocol/proposal.js'
import { setOfKeys } from '../../src/base/protocol/sequencer-set.fixture.js'
import type { SequencerSet } from '../../src/base/protocol/sequencer-set.js'
import type { Vote, VoteContent } from '../../src/base/protocol/vote.js'
import type { VoteAggregate } from '../../src/base/protocol/vote-aggregate.js'
import { asVerified, type Verified } from '../../src/rules/consensus/verified.js'

// The core takes verified messages, so one key and one signature serve all.
const key = BlsSecretKey.fromSeed(new Uint8Array(32).fill(7))
const signature = key.sign(new Uint8Array(32))

/** A set with these powers. */
export const setOf = (powers: readonly bigint[]): SequencerSet => setOfKeys({ keys: powers.map(() => key), powers })

/** A hash that tells its maker, round and kind. */
export const blockOf = ({
  maker,
  round,
  variant,
  valid,
}: {
  maker: number
  round: number
  variant: number
  valid: boolean
}): BlockHash => {
  const word = (value: number) => value.toString(16).padStart(8, '0')
  return `0x${word(maker)}${word(round)}${word(variant)}${'0'.repeat(38)}${valid ? '01' : '00'}` as BlockHash
}

/** Whether the chain's rules allow a block made by `blockOf`. */
export const isValidBlock = (blockHash: BlockHash): boolean => blockHash.endsWith('01')

/** A short name for messages of failures. */
export const nameOf = (blockHash: BlockHash): string => (blockHash === zeroHash ? 'nil' : blockHash.slice(0, 26))

/** The vote with a signature of no meaning. */
export const voteBy = (member: number, content: VoteContent): Verified<Vote> =>
  asVerified({ ...content, member, signature, extension: new Uint8Array(0) })

/** The aggregate of these votes with a signature of no meaning. */
export const aggregateBy = (votes: readonly Vote[]): Verified<VoteAggregate> => asVerified({ votes, signature })

/** The proposal with a signature of no meaning. */
export const proposalBy = (proposer: number, content: Omit<Proposal, 'proposer' | 'signature'>): Verified<Proposal> =>
  asVerified({ ...content, proposer, signature })
