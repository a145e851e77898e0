import type { Address, BlockHash } from '../../../base/primitives/hashes.js'
import type { Height, MemberIndex, Power, Round } from '../../../base/primitives/quantities.js'
import type { ProtocolParameters } from '../../../base/protocol/protocol-parameters.js'
import { isQuorum, powerOf, type SequencerSet } from '../../../base/protocol/sequencer-set.js'
import { precommit, prevote, type VoteStep } from '../../../base/protocol/vote.js'
import type { ConsensusSigner } from '../../../io/keys/consensus-signer.js'
import type { Peer } from '../../../io/network/peer-network.js'
import type { ConsensusState, RoundMessages } from '../../../rules/consensus/core.js'
import { proposerOf } from '../../../rules/consensus/proposer-rotation.js'
import { membersBehind } from '../members-behind.js'
import type {
  BlockVerdict,
  ExecutionTask,
  HeightProgress,
  ProgressStep,
  RefusedProposal,
  RefusedSignature,
} from './height-progress.js'

/** A member of the set that decides the height, as this node sees it. */
export interface MemberInProgress {
  readonly index: MemberIndex
  readonly feeRecipient: Address
  readonly power: Power
  /** Whether this node is it, or has a connection to it. */
  readonly connected: boolean
  /** When its last consensus message came; null when none did, or it is this node. */
  readonly lastHeardMs: number | null
}

/** The votes of one step of the round that are known here. Once a value has its quorum, later votes are not kept. */
export interface VotesInProgress {
  /** `verified: false` came and waits until there are enough to check them together; then its value is not told yet. */
  readonly known: readonly {
    readonly member: MemberIndex
    readonly blockHash: BlockHash | null
    readonly verified: boolean
  }[]
  readonly missing: readonly MemberIndex[]
  /** Power of the members known to have voted. */
  readonly power: Power
  /** Power that these lack to a quorum; 0 when they are one. */
  readonly lacking: Power
  /** The value of a quorum (the zero hash is nil), if one has it. */
  readonly quorumFor: BlockHash | null
}

/** Everything that this node knows of the height that it is deciding. Times are the node's clock in milliseconds. */
export interface HeightInProgress {
  readonly nowMs: number
  readonly height: Height
  readonly round: Round
  readonly step: ProgressStep
  readonly heightSinceMs: number
  readonly roundSinceMs: number
  readonly stepSinceMs: number
  /** This node's index in the set; null when its key is not in it. */
  readonly self: MemberIndex | null
  readonly proposer: MemberIndex
  readonly members: readonly MemberInProgress[]
  readonly totalPower: Power
  readonly quorumConnected: boolean
  /** The proposal that this node votes on in this round. */
  readonly proposal: {
    readonly blockHash: BlockHash
    readonly verdict: BlockVerdict
    /** Of a block that is proposed again the round whose prevotes give the right to it, else null. */
    readonly validRound: Round | null
  } | null
  readonly prevotes: VotesInProgress
  readonly precommits: VotesInProgress
  readonly locked: { readonly round: Round; readonly blockHash: BlockHash } | null
  readonly valid: { readonly round: Round; readonly blockHash: BlockHash } | null
  readonly nextTimeout: { readonly step: string; readonly dueMs: number } | null
  readonly busy: { readonly task: ExecutionTask; readonly sinceMs: number } | null
  readonly buildFailure: string | null
  readonly work: {
    /** Whether a block made now would carry anything. */
    readonly waits: boolean
    /** The minimal interval after the parent ends. */
    readonly notBeforeMs: number
    /** An empty block is due. */
    readonly emptyBlockDueMs: number
  }
  readonly refusedProposals: readonly RefusedProposal[]
  readonly refusedSignatures: readonly RefusedSignature[]
  /** Whether the last signature that was asked for was refused. */
  readonly signerRefuses: boolean
  /** Whether the key is in another process that does not answer. */
  readonly signerAway: boolean
}

/** The parts of the engine that are read. */
export interface HeightSources {
  readonly nowMs: number
  readonly height: Height
  readonly set: SequencerSet
  readonly self: MemberIndex | null
  readonly state: ConsensusState | null
  readonly messages: RoundMessages
  /** Members of whom a vote of the round is here, verified or not. */
  readonly heard: (step: VoteStep) => readonly MemberIndex[]
  readonly progress: HeightProgress
  readonly peers: readonly Peer[]
  readonly signer: Pick<ConsensusSigner, 'isReachable'>
  readonly hasWork: boolean
  readonly parentTimestampMs: number
  readonly parameters: Pick<ProtocolParameters, 'minBlockIntervalMs' | 'emptyBlockIntervalMs'>
}

/** Reads the height in progress; changes nothing. */
export function heightInProgress(from: HeightSources): HeightInProgress {
  const { set, self, state, progress, parameters, parentTimestampMs, height } = from
  const round = state?.round ?? 0
  const connected = membersBehind(from)
  const first = from.messages.proposals[0]
  return {
    nowMs: from.nowMs,
    height,
    round,
    step: progress.step,
    heightSinceMs: progress.heightSinceMs,
    roundSinceMs: progress.roundSinceMs,
    stepSinceMs: progress.stepSinceMs,
    self,
    proposer: proposerOf(set, height, round),
    members: membersOf(from, connected),
    totalPower: set.totalPower,
    quorumConnected: isQuorum(set, powerOf(set, connected)),
    proposal: first
      ? {
          blockHash: first.blockHash,
          verdict: progress.verdictOf(first.blockHash) ?? 'pending',
          validRound: first.validRound < 0 ? null : first.validRound,
        }
      : null,
    prevotes: votesOf(from, prevote),
    precommits: votesOf(from, precommit),
    locked: valueAt(state?.lockedRound, state?.lockedValue),
    valid: valueAt(state?.validRound, state?.validValue),
    nextTimeout: progress.nextTimeout(),
    busy: progress.busy(),
    buildFailure: progress.buildFailure,
    work: {
      waits: from.hasWork,
      notBeforeMs: parentTimestampMs + parameters.minBlockIntervalMs,
      emptyBlockDueMs: parentTimestampMs + parameters.emptyBlockIntervalMs,
    },
    refusedProposals: [...progress.refusals],
    refusedSignatures: [...progress.signerRefusals],
    signerRefuses: progress.signerRefuses,
    signerAway: !from.signer.isReachable,
  }
}

function membersOf({ set, progress }: HeightSources, connected: ReadonlySet<MemberIndex>): MemberInProgress[] {
  return set.members.map(({ index, feeRecipient, power }) => ({
    index,
    feeRecipient,
    power,
    connected: connected.has(index),
    lastHeardMs: progress.lastHeardMs(index),
  }))
}

function votesOf({ set, messages, heard }: HeightSources, step: VoteStep): VotesInProgress {
  const values = new Map<MemberIndex, BlockHash | null>()
  for (const member of heard(step)) values.set(member, null)
  const powers = new Map<BlockHash, Power>()
  const counted = new Set<string>()
  const aggregated = messages.aggregates.flatMap(({ votes }) => votes).filter(vote => vote.step === step)
  const votes = step === prevote ? messages.prevotes : messages.precommits
  for (const { member, blockHash } of [...votes, ...aggregated]) {
    values.set(member, blockHash)
    // The sums of a value may share members.
    const vote = `${member}/${blockHash}`
    if (counted.has(vote)) continue
    counted.add(vote)
    powers.set(blockHash, (powers.get(blockHash) ?? 0n) + set.members[member]!.power)
  }
  const power = [...values.keys()].reduce((sum, member) => sum + set.members[member]!.power, 0n)
  // More than two thirds: the least whole power p with 3p > 2 * total.
  const needed = (set.totalPower * 2n) / 3n + 1n
  return {
    known: [...values]
      .sort(([a], [b]) => a - b)
      .map(([member, blockHash]) => ({ member, blockHash, verified: blockHash !== null })),
    missing: set.members.map(({ index }) => index).filter(index => !values.has(index)),
    power,
    lacking: power >= needed ? 0n : needed - power,
    quorumFor: [...powers].find(([, of]) => isQuorum(set, of))?.[0] ?? null,
  }
}

function valueAt(
  round: Round | undefined,
  blockHash: BlockHash | null | undefined,
): { readonly round: Round; readonly blockHash: BlockHash } | null {
  return round === undefined || round < 0 || !blockHash ? null : { round, blockHash }
}
