import { type BlockHash, zeroHash } from '../../../base/primitives/hashes.js'
import type { Power } from '../../../base/primitives/quantities.js'
import type { HeightInProgress, VotesInProgress } from './height-in-progress.js'
import { membersText, shareText } from './no-block-reason.js'

/** The height in progress in plain sentences: where it stands, who leads, who is missing, what is due. */
export function progressSentences(progress: HeightInProgress): string[] {
  const { nowMs, height, round, step, proposal, locked, valid, nextTimeout } = progress
  const lasted = (sinceMs: number) => durationText(nowMs - sinceMs)
  const sentences = [
    `Height ${height}, round ${round}, step ${step}: the height has lasted ${lasted(progress.heightSinceMs)}, the round ${lasted(progress.roundSinceMs)}, the step ${lasted(progress.stepSinceMs)}.`,
    proposerSentence(progress),
    connectionSentence(progress),
  ]
  if (step === 'new-height') return sentences
  sentences.push(
    proposal
      ? `The proposal is block ${hashText(proposal.blockHash)}: ${verdictWords[proposal.verdict]}.`
      : 'No proposal of this round is here.',
    votesSentence('Prevotes', progress.prevotes, progress.totalPower),
    votesSentence('Precommits', progress.precommits, progress.totalPower),
  )
  if (locked) sentences.push(`This node is locked on block ${hashText(locked.blockHash)} since round ${locked.round}.`)
  else if (valid) sentences.push(`Block ${hashText(valid.blockHash)} had a quorum of prevotes in round ${valid.round}.`)
  if (nextTimeout)
    sentences.push(
      nextTimeout.dueMs >= nowMs
        ? `The ${nextTimeout.step} timeout is due in ${durationText(nextTimeout.dueMs - nowMs)}.`
        : `The ${nextTimeout.step} timeout is due now.`,
    )
  return sentences
}

const verdictWords = {
  pending: 'it is being checked',
  accepted: 'this node accepts it',
  'own-view': "this node's own view is against it, and a quorum may overrule that",
  refused: 'this node refuses it',
} as const

function proposerSentence({ proposer, self, members, nowMs }: HeightInProgress): string {
  if (proposer === self) return `Member ${proposer}, this node, proposes.`
  const member = members[proposer]
  if (!member) return `Member ${proposer} proposes.`
  const heard =
    member.lastHeardMs === null ? 'never heard' : `last heard ${durationText(nowMs - member.lastHeardMs)} ago`
  return `Member ${proposer} (fees to ${member.feeRecipient}) proposes: ${member.connected ? 'connected' : 'not connected'}, ${heard}.`
}

function connectionSentence({ members, totalPower, quorumConnected }: HeightInProgress): string {
  const power = members.reduce((sum, member) => (member.connected ? sum + member.power : sum), 0n)
  const gone = members.filter(({ connected }) => !connected).map(({ index }) => index)
  const enough = quorumConnected ? 'a quorum' : 'less than a quorum'
  const missing = gone.length === 0 ? '' : ` Not connected: ${membersText(gone)}.`
  return `${shareText(power, totalPower)} is connected, ${enough}.${missing}`
}

function votesSentence(
  name: string,
  { known, missing, lacking, quorumFor }: VotesInProgress,
  totalPower: Power,
): string {
  const shown = known.map(
    ({ member, blockHash }) => `${member} ${blockHash === null ? 'unchecked' : valueText(blockHash)}`,
  )
  const from = shown.length === 0 ? 'none' : shown.join(', ')
  if (quorumFor !== null) return `${name}: a quorum for ${valueText(quorumFor)} (${from}).`
  const absent = missing.length === 0 ? '' : `; ${membersText(missing)} missing`
  return `${name}: ${from}${absent}; ${lacking === 0n ? 'enough for a quorum' : `${shareText(lacking, totalPower)} lacks to a quorum`}.`
}

const valueText = (blockHash: BlockHash): string => (blockHash === zeroHash ? 'nil' : hashText(blockHash))

/** The beginning of a hash. */
export const hashText = (hash: string): string => `${hash.slice(0, 10)}…`

/** A span of time as a person reads it. */
export function durationText(ms: number): string {
  return ms < 1_000 ? `${Math.max(0, Math.round(ms))} ms` : `${(ms / 1_000).toFixed(1)} s`
}
