import { type BlockHash, zeroHash } from '../../../base/primitives/hashes.js'
import type { MemberIndex, Power } from '../../../base/primitives/quantities.js'
import type { ProtocolParameters } from '../../../base/protocol/protocol-parameters.js'
import type { VersionHalt, VersionHaltReason } from '../../../rules/upgrades/version-halt.js'
import type { HeightInProgress, VotesInProgress } from './height-in-progress.js'
import type { RefusedProposal } from './height-progress.js'

/** Why there is no block now, as this node sees it. */
export type NoBlockReason =
  | VersionHaltReason
  | 'NOT_A_SEQUENCER'
  | 'NOT_IN_SET'
  | 'SYNCING'
  | 'EXECUTION_BUSY'
  | 'NO_QUORUM_CONNECTED'
  | 'SIGNER_AWAY'
  | 'SIGNER_REFUSES'
  | 'NO_WORK'
  | 'MIN_INTERVAL'
  | 'BUILD_FAILED'
  | 'PROPOSAL_REFUSED'
  | 'BLOCK_MISSING'
  | 'WAITING_FOR_PROPOSAL'
  | 'PROPOSER_SILENT'
  | 'WAITING_FOR_PREVOTES'
  | 'WAITING_FOR_PRECOMMITS'
  | 'VOTES_SPLIT'

/** What the reason is decided by. */
export interface NoBlockFacts {
  /** Null on a node without a consensus key. */
  readonly progress: HeightInProgress | null
  /** Blocks that peers have proved and this node lacks. */
  readonly behind: number
  /** Why this node takes no further part, or null. */
  readonly halt: VersionHalt | null
  readonly parameters: Pick<ProtocolParameters, 'proposeTimeoutMs'>
}

/** Blocks behind the best known head from which a node counts as syncing. */
export const syncingBehind = 5

/** The one reason that comes first: what is wrong with this node, then with the network, then what the round waits for. */
export function noBlockReason({ progress, behind, halt, parameters }: NoBlockFacts): NoBlockReason {
  if (halt) return halt.reason
  if (!progress) return 'NOT_A_SEQUENCER'
  if (behind > syncingBehind) return 'SYNCING'
  if (progress.self === null) return 'NOT_IN_SET'
  if (progress.step === 'commit') return 'EXECUTION_BUSY'
  if (!progress.quorumConnected) return 'NO_QUORUM_CONNECTED'
  if (unknownVersionProposed(progress)) return 'PROTOCOL_VERSION_UNKNOWN'
  if (progress.step === 'new-height') return progress.work.waits ? 'MIN_INTERVAL' : 'NO_WORK'
  if (progress.signerAway) return 'SIGNER_AWAY'
  if (signerRefusedHere(progress)) return 'SIGNER_REFUSES'
  if (blockMissing(progress)) return 'BLOCK_MISSING'
  if (progress.proposal?.verdict === 'pending') return 'EXECUTION_BUSY'
  if (proposalRefused(progress) && !progress.prevotes.quorumFor) return 'PROPOSAL_REFUSED'
  switch (progress.step) {
    case 'propose':
      return proposeReason(progress, parameters)
    case 'prevote':
      return votesReason(progress.prevotes, 'WAITING_FOR_PREVOTES')
    case 'precommit':
      return votesReason(progress.precommits, 'WAITING_FOR_PRECOMMITS')
  }
}

/** Proposed for this height was a block of a protocol version that this node lacks; whether others take it is not known yet. */
export function unknownVersionProposed({ refusedProposals, height }: HeightInProgress): RefusedProposal | undefined {
  return refusedProposals.findLast(refusal => refusal.height === height && refusal.reason === 'unknown-version')
}

/** Its own view does not keep a node from voting for what comes again with a polka. */
function proposalRefused({ proposal }: HeightInProgress): boolean {
  if (!proposal || proposal.verdict === 'accepted') return false
  return proposal.verdict === 'refused' || proposal.validRound === null
}

function signerRefusedHere({ signerRefuses, refusedSignatures, height, round }: HeightInProgress): boolean {
  const last = refusedSignatures.at(-1)
  return signerRefuses && last?.height === height && last.round === round
}

/** A quorum voted for a block that is not here. */
function blockMissing(progress: HeightInProgress): boolean {
  const wanted = wantedBlock(progress)
  return wanted !== null && progress.proposal?.blockHash !== wanted
}

function wantedBlock({ prevotes, precommits }: HeightInProgress): BlockHash | null {
  const wanted = precommits.quorumFor ?? prevotes.quorumFor
  return wanted === zeroHash ? null : wanted
}

function proposeReason(progress: HeightInProgress, parameters: NoBlockFacts['parameters']): NoBlockReason {
  // A block that is proposed again waits for the prevotes of the round in which it was valid.
  if (progress.proposal) return 'WAITING_FOR_PREVOTES'
  if (progress.proposer === progress.self) return progress.buildFailure === null ? 'EXECUTION_BUSY' : 'BUILD_FAILED'
  const proposer = progress.members[progress.proposer]
  const usual = progress.nowMs - progress.stepSinceMs < parameters.proposeTimeoutMs / 2
  return usual && proposer?.connected ? 'WAITING_FOR_PROPOSAL' : 'PROPOSER_SILENT'
}

function votesReason(votes: VotesInProgress, waiting: NoBlockReason): NoBlockReason {
  return votes.lacking === 0n && votes.quorumFor === null ? 'VOTES_SPLIT' : waiting
}

/** The reason in one English sentence, with its figures. */
export function noBlockSentence(reason: NoBlockReason, { progress, behind, halt }: NoBlockFacts): string {
  if (halt) return versionHaltSentence(halt)
  if (!progress) return 'This node has no consensus key: it follows the chain and decides nothing.'
  const ms = (atMs: number) => `${Math.abs(Math.round(atMs - progress.nowMs))} ms`
  const { proposer, work, busy, refusedProposals, refusedSignatures } = progress
  const last = progress.members[proposer]?.lastHeardMs ?? null
  switch (reason) {
    case 'NOT_A_SEQUENCER':
      return 'This node has no consensus key: it follows the chain and decides nothing.'
    case 'NOT_IN_SET':
      return "This node's consensus key is not in the sequencer set: it watches, and others decide."
    case 'SYNCING':
      return `This node is ${behind} blocks behind its peers and fetches them before it takes part again.`
    case 'EXECUTION_BUSY':
      return busy
        ? `This node's execution has been busy for ${ms(busy.sinceMs)}: it is to ${taskWords[busy.task]}.`
        : 'This node is about to propose.'
    case 'NO_QUORUM_CONNECTED':
      return `Fewer sequencers are connected than a quorum needs: ${membersText(
        progress.members.filter(({ connected }) => !connected).map(({ index }) => index),
      )} not connected, and more than two thirds of the power must be.`
    case 'SIGNER_AWAY':
      return "This node's signer process does not answer: it follows what the others decide, and signs nothing."
    case 'SIGNER_REFUSES':
      return `This node's signer refused to sign in this round: ${refusedSignatures.at(-1)?.detail ?? 'no detail'}.`
    case 'PROTOCOL_VERSION_UNKNOWN':
    case 'PROTOCOL_VERSION_NOT_ADOPTED':
      return `This node was proposed a block that it cannot judge: ${unknownVersionProposed(progress)?.detail ?? 'no detail'}. If the network goes on with that version, this node must be upgraded.`
    case 'NO_WORK':
      return work.emptyBlockDueMs > progress.nowMs
        ? `No transactions wait, and the empty block is due in ${ms(work.emptyBlockDueMs)}.`
        : 'No transactions wait, and the empty block is due now.'
    case 'MIN_INTERVAL':
      return `Work waits, and the least time after the last block ends in ${ms(Math.max(work.notBeforeMs, progress.nowMs))}.`
    case 'BUILD_FAILED':
      return `This node is the proposer and could not build its block: ${progress.buildFailure}.`
    case 'PROPOSAL_REFUSED': {
      const refusal = refusedProposals.findLast(({ blockHash }) => blockHash === progress.proposal?.blockHash)
      return `This node refused the proposal of member ${proposer}: ${refusal ? `${refusal.reason}, ${refusal.detail}` : 'it said why before a restart'}.`
    }
    case 'BLOCK_MISSING':
      return `A quorum voted for block ${wantedBlock(progress)}, which has not come here; peers are asked for it.`
    case 'WAITING_FOR_PROPOSAL':
      return `Member ${proposer} proposes in this round, and its block has not come yet.`
    case 'PROPOSER_SILENT':
      return `Member ${proposer} is to propose and is silent: ${
        progress.members[proposer]?.connected ? 'it is connected' : 'it is not connected'
      }, ${last === null ? 'and nothing was ever heard from it' : `last heard ${ms(last)} ago`}.`
    case 'WAITING_FOR_PREVOTES':
      if (progress.step === 'propose' && progress.proposal)
        return `Block ${progress.proposal.blockHash} is proposed again for its prevotes of round ${progress.proposal.validRound}, of which too few are known here; peers are asked for them.`
      return `Prevotes are missing: ${lackText(progress.prevotes, progress.totalPower)}.`
    case 'WAITING_FOR_PRECOMMITS':
      return `Precommits are missing: ${lackText(progress.precommits, progress.totalPower)}.`
    case 'VOTES_SPLIT':
      return 'Enough sequencers voted, but not for the same value: a timeout ends the step and the next round begins.'
  }
}

/** A halt in one English sentence that says what to do. */
export function versionHaltSentence({ reason, height, version, own, of }: VersionHalt): string {
  if (reason === 'PROTOCOL_VERSION_NOT_ADOPTED')
    return `The network decided height ${height} with protocol version ${version}, and this node's network file has version ${own} there: give it the network's file.`
  const has =
    of === 'software' ? `its software knows versions up to ${own}` : `its network file has version ${own} there`
  return `This node must be upgraded before height ${height}, which has protocol version ${version}: ${has}.`
}

const taskWords = {
  build: 'build a proposal',
  validate: 'check a proposal',
  commit: 'commit the decided block',
} as const

function lackText({ missing, lacking }: VotesInProgress, totalPower: Power): string {
  if (lacking === 0n) return 'enough have come, and their signatures are being checked'
  return `${membersText(missing)} not heard, and ${shareText(lacking, totalPower)} lacks to a quorum`
}

/** A part of the set's power as a person reads it. */
export const shareText = (power: Power, totalPower: Power): string =>
  `${(Number((power * 1_000n) / totalPower) / 10).toFixed(1)} % of the power`

/** Members as a person reads them. */
export function membersText(members: readonly MemberIndex[]): string {
  if (members.length === 0) return 'no member'
  return `${members.length === 1 ? 'member' : 'members'} ${members.join(', ')}`
}
