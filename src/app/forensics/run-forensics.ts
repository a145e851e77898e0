import type { Height, Round } from '../../base/primitives/quantities.js'
import type { QuorumCertificate } from '../../base/protocol/quorum-certificate.js'
import { isOneHonest, powerOf, type SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import { isNil, precommit, type Vote } from '../../base/protocol/vote.js'
import { logBefore } from '../../io/storage/file-log.js'
import { type ForensicReport, investigate } from '../../rules/consensus/forensics.js'
import type { SignedMessages, VerifiedMessages } from '../../rules/consensus/signed-messages.js'
import { type DoubleAttestations, doubleAttestations } from './double-attestations.js'
import { FileMessages, joined } from './file-messages.js'
import type { ForensicFile } from './forensic-file.js'
import { type CoverageGap, coverageGaps } from './log-coverage.js'
import type { SetSource } from './set-source.js'

/** The report of one height, with what is needed to show it. */
export interface HeightFindings extends ForensicReport {
  readonly set: SequencerSet
  /** Messages that were not signed as they claim, and were left out. */
  readonly refused: number
}

/** A file that was given and cannot be read. */
export interface UnreadFile {
  readonly file: string
  readonly why: string
}

/** What the files show. */
export interface Forensics extends DoubleAttestations {
  /** Heights at which something is to tell. */
  readonly heights: readonly HeightFindings[]
  /** Messages of examined heights that were not signed as they claim, and were left out. */
  readonly refusedMessages: number
  /** Files that could not be read, and why. */
  readonly unread: readonly UnreadFile[]
  /** Logs of which a part cannot be read, and the byte after which. */
  readonly corrupt: readonly { readonly file: string; readonly corruptAt: number }[]
  /** Files of which so much was not signed as it claims that the rest was not judged. */
  readonly discarded: readonly string[]
  /** Why examined heights were judged as without `isComplete` though it was said. */
  readonly gaps: readonly CoverageGap[]
  /** Heights at which messages differ, and whose set is not known. */
  readonly unknownSetAt: readonly Height[]
  /** How many heights the files know, and how many of them had messages that differ, whose signatures were checked. */
  readonly knownHeights: number
  readonly examinedHeights: number
}

/**
 * Judges what the files hold. Only heights at which messages differ are examined, all of them or the one asked for.
 */
export async function runForensics({
  files,
  unread = [],
  sets,
  domain,
  isComplete,
  only,
}: {
  files: readonly ForensicFile[]
  /** Others that were given, and cannot be read. */
  unread?: readonly UnreadFile[]
  sets: SetSource
  domain: SigningDomain
  /** It is said that the files hold all that the honest members logged; believed of heights that every log covers. */
  isComplete: boolean
  /** Examine this height alone, whether its messages differ or not. */
  only: Height | null
}): Promise<Forensics> {
  const sources = files.map(file => new FileMessages(file))
  const known = new Set(sources.flatMap(source => [...source.heights]))
  const chosen = [...known].filter(height =>
    only === null ? differs(joined(sources.map(source => source.at(height)))) : height === only,
  )
  chosen.sort((a, b) => a - b)
  const gaps = isComplete ? coverageGaps(files, chosen) : []
  if (isComplete && chosen.length > 0)
    gaps.push(...unread.map(({ file }) => ({ file, reason: 'cannot be read', heights: chosen })))
  const uncovered = new Set(gaps.flatMap(gap => gap.heights))
  const heights: HeightFindings[] = []
  const unknownSetAt: Height[] = []
  let refusedMessages = 0
  for (const height of chosen) {
    const set = await sets.setAt(height)
    if (!set) {
      unknownSetAt.push(height)
      continue
    }
    const messages = verified(sources, { height, set, domain })
    refusedMessages += messages.refused
    if (isOfAnotherSet(files, { height, messages, set })) {
      unknownSetAt.push(height)
      continue
    }
    const falseLogs = isComplete ? sources.filter(source => source.isFalseLogAt(height)) : []
    gaps.push(...falseLogs.map(({ source }) => ({ file: source.file, reason: falseLog, heights: [height] })))
    const isWhole = isComplete && !uncovered.has(height) && falseLogs.length === 0
    const report = investigate({ height, messages, set, isComplete: isWhole })
    if (report.isFork || report.culprits.length > 0 || report.accused.length > 0)
      heights.push({ ...report, set, refused: messages.refused })
  }
  const discarded = sources.filter(({ isDiscarded }) => isDiscarded).map(({ source }) => source)
  const judged =
    only === null
      ? await doubleAttestations(
          files.filter(file => !discarded.includes(file)),
          { sets, domain },
        )
      : { attestations: [], unjudged: [], unjudgedAttestations: 0, refusedEvidence: 0 }
  return {
    heights,
    ...judged,
    refusedMessages,
    unread,
    corrupt: files.flatMap(({ file, corruptAt: last, corruptBeforeAt: first }) => [
      ...(first === null ? [] : [{ file: logBefore(file), corruptAt: first }]),
      ...(last === null ? [] : [{ file, corruptAt: last }]),
    ]),
    gaps,
    unknownSetAt,
    discarded: discarded.map(({ file }) => file),
    knownHeights: known.size,
    examinedHeights: chosen.length - unknownSetAt.length,
  }
}

const falseLog = 'holds messages that were not signed as they say, which no honest log does'

/**
 * Whether the height was signed by another set than the one that is given for it: a block that more than a third of that one
 * voted for, an honest member among them, says so.
 */
function isOfAnotherSet(
  files: readonly ForensicFile[],
  { height, messages, set }: { height: Height; messages: VerifiedMessages; set: SequencerSet },
): boolean {
  const votes = [...messages.votes, ...messages.aggregates.flatMap(aggregate => aggregate.votes)]
  return files.some(({ blocks }) =>
    blocks.some(block => {
      if (block.height !== height || block.setId === set.setId) return false
      const voters = votes.filter(({ blockHash }) => blockHash === block.blockHash).map(({ member }) => member)
      return isOneHonest(set, powerOf(set, new Set(voters)))
    }),
  )
}

/** What the files hold of a height that was signed as it says. */
function verified(
  sources: readonly FileMessages[],
  at: { height: Height; set: SequencerSet; domain: SigningDomain },
): VerifiedMessages {
  const known = new Set<string>()
  const parts = sources.map(source => source.verify({ ...at, known }))
  return { ...joined(parts), refused: parts.reduce((sum, { refused }) => sum + refused, 0) }
}

/** Whether anything here may be against the protocol: two blocks, or two messages in one place. */
function differs({ votes: single, aggregates, proposals, certificates }: SignedMessages): boolean {
  const votes = [...single, ...aggregates.flatMap(aggregate => aggregate.votes)]
  const blocks = new Set([...votes, ...certificates].map(({ blockHash }) => blockHash).filter(hash => !isNil(hash)))
  if (blocks.size > 1 || missesCertified(votes, certificates)) return true
  const said = new Map<string, string>()
  const contradicts = (place: string, content: string) => {
    const before = said.get(place)
    said.set(place, before ?? content)
    return before !== undefined && before !== content
  }
  return (
    votes.some(({ member, round, step, blockHash }) => contradicts(`${member} ${round} ${step}`, blockHash)) ||
    proposals.some(({ proposer, round, ...content }) =>
      contradicts(`${proposer} ${round}`, `${content.blockHash} ${content.validRound}`),
    )
  )
}

/** Whether a member precommitted nil in a round in whose certificate it is: another block would be a second one. */
function missesCertified(votes: readonly Vote[], certificates: readonly QuorumCertificate[]): boolean {
  const nilIn = new Map<Round, bigint>()
  for (const { member, round, step, blockHash } of votes)
    if (step === precommit && isNil(blockHash)) nilIn.set(round, (nilIn.get(round) ?? 0n) | (1n << BigInt(member)))
  return certificates.some(({ round, absent }) => ((nilIn.get(round) ?? 0n) & ~absent) !== 0n)
}
