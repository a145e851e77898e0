import type { Height } from '../../base/primitives/quantities.js'
import type { Proposal } from '../../base/protocol/proposal.js'
import type { QuorumCertificate } from '../../base/protocol/quorum-certificate.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import type { Vote } from '../../base/protocol/vote.js'
import { contentOf, type VoteAggregate } from '../../base/protocol/vote-aggregate.js'
import { type SignedMessages, type VerifiedMessages, verifyMessages } from '../../rules/consensus/signed-messages.js'
import type { ForensicFile } from './forensic-file.js'

/**
 * How many messages of one file may be false before the rest of it is discarded: a node logs only what it verified, and a
 * file of forgeries would cost a pairing for each.
 */
const maxRefused = 64

interface Gathered extends SignedMessages {
  readonly votes: Vote[]
  readonly aggregates: VoteAggregate[]
  readonly proposals: Proposal[]
  readonly certificates: QuorumCertificate[]
}

const nothing: SignedMessages = { votes: [], aggregates: [], proposals: [], certificates: [] }

/** The messages of one file by height. */
export class FileMessages {
  private readonly byHeight = new Map<Height, Gathered>()
  private refused = 0
  private readonly refusedAt = new Set<Height>()

  constructor(readonly source: ForensicFile) {
    const { votes, aggregates, proposals, certificates, evidence } = source
    for (const vote of votes) this.gathered(vote.height).votes.push(vote)
    for (const aggregate of aggregates) this.gathered(contentOf(aggregate).height).aggregates.push(aggregate)
    for (const proposal of proposals) this.gathered(proposal.height).proposals.push(proposal)
    for (const certificate of certificates) this.gathered(certificate.height).certificates.push(certificate)
    for (const { kind, first, second } of evidence) {
      if (kind === 'duplicate-vote') this.gathered(first.height).votes.push(first, second)
      if (kind === 'duplicate-proposal') this.gathered(first.height).proposals.push(first, second)
    }
  }

  get heights(): Iterable<Height> {
    return this.byHeight.keys()
  }

  /** Whether so much of it was false that the rest was not looked at. */
  get isDiscarded(): boolean {
    return this.refused >= maxRefused
  }

  at(height: Height): SignedMessages {
    return this.byHeight.get(height) ?? nothing
  }

  /** What was signed as it says; `known` are keys of messages that another file had, and grows. */
  verify(of: { height: Height; set: SequencerSet; domain: SigningDomain; known: Set<string> }): VerifiedMessages {
    const verified = verifyMessages({ ...of, messages: this.at(of.height), maxRefused: maxRefused - this.refused })
    this.refused += verified.refused
    if (verified.refused > 0) this.refusedAt.add(of.height)
    return verified
  }

  /** Whether this is a log that says what nobody signed at this height, or so much of it that the rest is not known. */
  isFalseLogAt(height: Height): boolean {
    return this.source.kind === 'wal' && (this.isDiscarded || this.refusedAt.has(height))
  }

  private gathered(height: Height): Gathered {
    const found = this.byHeight.get(height) ?? { votes: [], aggregates: [], proposals: [], certificates: [] }
    this.byHeight.set(height, found)
    return found
  }
}

/** All messages of a height, of several files. */
export function joined<Messages extends SignedMessages>(parts: readonly Messages[]) {
  return {
    votes: parts.flatMap(({ votes }) => votes as Messages['votes'][number][]),
    aggregates: parts.flatMap(({ aggregates }) => aggregates as Messages['aggregates'][number][]),
    proposals: parts.flatMap(({ proposals }) => proposals as Messages['proposals'][number][]),
    certificates: parts.flatMap(({ certificates }) => certificates as Messages['certificates'][number][]),
  }
}
