import { bytesToHex, type Hex } from '../../base/primitives/bytes.js'
import type { Height, SetId } from '../../base/primitives/quantities.js'
import { duplicateProposal, duplicateVote, type Evidence, encodeEvidence } from '../../base/protocol/evidence.js'
import { encodeProposal } from '../../base/protocol/proposal.js'
import { encodeCertificate } from '../../base/protocol/quorum-certificate.js'
import { isOneHonest, type SequencerSetMember } from '../../base/protocol/sequencer-set.js'
import { encodeVote, isNil, prevote, type VoteContent } from '../../base/protocol/vote.js'
import { contentOf, encodeAggregate } from '../../base/protocol/vote-aggregate.js'
import type { Finding, ProofMessage } from '../../rules/consensus/forensics.js'
import type { AttestationFinding } from './double-attestations.js'
import type { CoverageGap } from './log-coverage.js'
import type { Forensics, HeightFindings } from './run-forensics.js'

/** What the command ends with: nothing found, errors (by the program), culprits, a fork, or something given that stays unanswered. */
export const forensicsExitCodes = { nothing: 0, culprits: 2, unanswered: 3 } as const

export function forensicsExitCode(forensics: Forensics): number {
  const { heights, attestations } = forensics
  if (attestations.length > 0 || heights.some(({ culprits }) => culprits.length > 0)) return forensicsExitCodes.culprits
  const isUnanswered = isPartlyUnjudged(forensics) || heights.some(({ isFork }) => isFork)
  return isUnanswered ? forensicsExitCodes.unanswered : forensicsExitCodes.nothing
}

/** Whether something that was given says nothing: then nobody can be said to be innocent either. */
function isPartlyUnjudged(forensics: Forensics): boolean {
  const { unjudged, unjudgedAttestations, unknownSetAt, unread, corrupt, discarded, gaps } = forensics
  const isLeftOut = [unjudged, unknownSetAt, unread, corrupt, discarded, gaps].some(({ length }) => length > 0)
  return isLeftOut || unjudgedAttestations + refusedOf(forensics) > 0
}

/** What was given and not signed as it says: with the keys or the network of another chain, that is all of it. */
const refusedOf = ({ refusedMessages, refusedEvidence }: Forensics): number => refusedMessages + refusedEvidence

/** The findings as JSON: quantities as numbers, messages in their wire encoding (`raw`) beside what they say. */
export function forensicsJson({ heights, attestations, unjudged, ...counts }: Forensics) {
  return {
    ...counts,
    heights: heights.map(findings => ({
      height: findings.height,
      setId: findings.set.setId,
      isFork: findings.isFork,
      commits: findings.commits,
      culprits: findings.culprits.map(finding => findingJson(finding, findings)),
      culpritPower: `${findings.power}`,
      totalPower: `${findings.set.totalPower}`,
      accused: findings.accused.map(finding => ({
        ...findingJson(finding, findings),
        clearedBy: finding.clearedBy,
      })),
      refusedMessages: findings.refused,
    })),
    attestations: attestations.map(({ culprit, evidence }) => ({
      batchIndex: evidence.first.batchIndex,
      setId: evidence.setId,
      offence: 'double-attestation',
      member: memberJson(culprit),
      evidence: bytesToHex(encodeEvidence(evidence)),
    })),
    unjudged: unjudged.map(evidence => ({
      kind: evidence.kind,
      batchIndex: evidence.first.batchIndex,
      setId: evidence.setId,
      member: evidence.member,
      reason: 'unknown-set',
      evidence: bytesToHex(encodeEvidence(evidence)),
    })),
  }
}

function findingJson({ member, offence, round, proof }: Finding, { set }: HeightFindings) {
  const evidence = evidenceOf(proof)
  return {
    offence,
    member: memberJson(set.members[member]!),
    round,
    proof: proof.map(message => ({ type: message.type, says: sentence(message), raw: rawOf(message) })),
    ...(evidence ? { evidence: bytesToHex(encodeEvidence(evidence)) } : {}),
  }
}

const memberJson = ({ index, operator, publicKey, power }: SequencerSetMember) => ({
  index,
  operator,
  publicKey: bytesToHex(publicKey.bytes),
  power: `${power}`,
})

/** Two messages of one place are evidence in the sense of the wire; an aggregate or amnesia is not. */
function evidenceOf([a, b]: readonly ProofMessage[]): Evidence | null {
  if (a?.type === 'vote' && b?.type === 'vote')
    return a.vote.round === b.vote.round && a.vote.step === b.vote.step ? duplicateVote(a.vote, b.vote) : null
  return a?.type === 'proposal' && b?.type === 'proposal' ? duplicateProposal(a.proposal, b.proposal) : null
}

function rawOf(message: ProofMessage): Hex {
  switch (message.type) {
    case 'vote':
      return bytesToHex(encodeVote(message.vote))
    case 'aggregate':
      return bytesToHex(encodeAggregate(message.aggregate))
    case 'proposal':
      return bytesToHex(encodeProposal(message.proposal))
    case 'certificate':
      return bytesToHex(encodeCertificate(message.certificate))
  }
}

const short = (hash: Hex): string => (isNil(hash) ? 'nil' : `${hash.slice(0, 10)}…`)

const voted = ({ step, round, blockHash }: VoteContent): string =>
  `${step === prevote ? 'prevoted' : 'precommitted'} ${short(blockHash)} in round ${round}`

function sentence(message: ProofMessage): string {
  switch (message.type) {
    case 'vote':
      return voted(message.vote)
    case 'aggregate':
      return `${voted(contentOf(message.aggregate))} (aggregate)`
    case 'proposal': {
      const { round, blockHash, validRound } = message.proposal
      return `proposed ${short(blockHash)} in round ${round} with valid round ${validRound}`
    }
    case 'certificate': {
      const { round, blockHash } = message.certificate
      return `precommitted ${short(blockHash)} in round ${round} (certificate)`
    }
  }
}

/** The findings for a person. */
export function forensicsText(forensics: Forensics): string {
  const { heights, attestations, unjudged, gaps, knownHeights, examinedHeights } = forensics
  const lines = [`${knownHeights} heights known, ${examinedHeights} examined`]
  if (gaps.length > 0) lines.push('judged as without --complete, since a log does not show all of a height')
  for (const gap of gaps) lines.push(`  ${gapLine(gap)}`)
  for (const findings of heights) lines.push('', ...heightLines(findings))
  if (attestations.length > 0) lines.push('', 'attestations of two hashes for one batch')
  for (const finding of attestations) lines.push(`  ${attestationLine(finding)}`)
  lines.push(...unjudgedLines(unjudged), ...omissionLines(forensics))
  if (heights.length + attestations.length === 0 && !isPartlyUnjudged(forensics))
    lines.push('nobody is seen to have broken the protocol')
  return lines.join('\n')
}

/** What was given and says nothing. */
function omissionLines(forensics: Forensics): string[] {
  const { unknownSetAt, unjudgedAttestations, unread, corrupt, discarded } = forensics
  const lines = unread.map(({ why }) => why)
  for (const { file, corruptAt } of corrupt) lines.push(`${file} is corrupt at byte ${corruptAt}; read up to there`)
  for (const file of discarded)
    lines.push(`${file} holds too many messages that were not signed as they say: the rest of it was discarded`)
  if (unknownSetAt.length > 0)
    lines.push(
      `${whichHeights(unknownSetAt)}: messages differ, and could not be judged: the set that signs them is unknown`,
    )
  if (unjudgedAttestations > 0)
    lines.push(`${unjudgedAttestations} attestations could not be judged: the sets of their heights are unknown`)
  const refused = refusedOf(forensics)
  if (refused > 0)
    lines.push(
      `${refused} messages and pieces of evidence were not signed as they say: are these the right network and set?`,
    )
  return lines
}

/** One line for each unknown set. */
function unjudgedLines(unjudged: Forensics['unjudged']): string[] {
  const counts = new Map<SetId, number>()
  for (const { setId } of unjudged) counts.set(setId, (counts.get(setId) ?? 0) + 1)
  return [...counts].map(([setId, count]) => {
    const pieces = count === 1 ? '1 piece' : `${count} pieces`
    return `${pieces} of evidence could not be judged: set ${setId} is unknown`
  })
}

function gapLine({ file, reason, heights }: CoverageGap): string {
  return `${whichHeights(heights)}: ${file === null ? reason : `${file} ${reason}`}`
}

function whichHeights(heights: readonly Height[]): string {
  const [first, last] = [heights[0], heights.at(-1)]
  return first === last ? `height ${first}` : `${heights.length} heights from ${first} to ${last}`
}

function heightLines(findings: HeightFindings): string[] {
  const { height, isFork, commits, culprits, accused, power, set, refused } = findings
  const decided = commits.map(({ blockHash, round }) => `${short(blockHash)} in round ${round}`).join(', ')
  const lines = [`height ${height}: ${isFork ? `agreement broke, a quorum precommitted ${decided}` : 'one block'}`]
  if (refused > 0) lines.push(`  ${refused} messages were left out: not signed as they say`)
  if (culprits.length > 0) {
    const share = isOneHonest(set, power) ? 'more than a third' : 'a third or less'
    lines.push(`  culprits, ${power} of ${set.totalPower} of the power, ${share}`)
  }
  for (const finding of culprits) lines.push(`    ${findingLine(finding, findings)}`)
  if (accused.length === 0) return lines
  lines.push('  accused, unless they show the prevotes that cleared them')
  for (const finding of accused) lines.push(`    ${findingLine(finding, findings)}${need(finding)}`)
  const members = [...new Set(accused.map(({ member }) => member))].join(', ')
  lines.push(
    `  Ask members ${members} and every honest sequencer for its consensus-wal, and run this again with all of them;`,
    '  with --complete when no honest one is missing: then whoever has no answer is a culprit.',
  )
  return lines
}

function findingLine({ member, offence, proof }: Finding, { set }: HeightFindings): string {
  const key = bytesToHex(set.members[member]!.publicKey.bytes).slice(0, 18)
  return `member ${member}  ${key}…  ${offence}: ${proof.map(sentence).join(', ')}`
}

function need({ clearedBy }: Finding): string {
  if (!clearedBy) return ''
  const { blockHash, fromRound, toRound } = clearedBy
  const rounds = fromRound === toRound ? `round ${fromRound}` : `a round from ${fromRound} to ${toRound}`
  return `; cleared by prevotes of more than two thirds for ${short(blockHash)} in ${rounds}`
}

function attestationLine({ culprit, evidence }: AttestationFinding): string {
  const { first, second } = evidence
  const key = bytesToHex(culprit.publicKey.bytes).slice(0, 18)
  return `member ${culprit.index}  ${key}…  batch ${first.batchIndex}: ${short(first.batchHash)} and ${short(second.batchHash)}`
}
