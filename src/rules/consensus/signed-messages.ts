import { verifyAggregate, verifyBls, verifyManyOverOneDigest } from '../../base/crypto/bls.js'
import { bytesToHex } from '../../base/primitives/bytes.js'
import type { Height } from '../../base/primitives/quantities.js'
import { type Proposal, proposalDigest } from '../../base/protocol/proposal.js'
import { type QuorumCertificate, verifyCertificate } from '../../base/protocol/quorum-certificate.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import { type Vote, voteDigest } from '../../base/protocol/vote.js'
import { contentOf, encodeAggregate, type VoteAggregate } from '../../base/protocol/vote-aggregate.js'
import { asVerified, type Verified } from './verified.js'

/** Messages that members of one set are said to have signed at one height, from whatever logs and files. */
export interface SignedMessages {
  readonly votes: readonly Vote[]
  readonly aggregates: readonly VoteAggregate[]
  readonly proposals: readonly Proposal[]
  readonly certificates: readonly QuorumCertificate[]
}

/** The same after each signature was checked. */
export interface VerifiedMessages {
  readonly votes: readonly Verified<Vote>[]
  readonly aggregates: readonly Verified<VoteAggregate>[]
  readonly proposals: readonly Verified<Proposal>[]
  readonly certificates: readonly Verified<QuorumCertificate>[]
  /** How many were left out: another height, no member, a signature that does not verify. */
  readonly refused: number
}

/** Votes for one value that are checked together: a false one among them costs no more than these do one by one. */
const maxTogether = 64

/**
 * Keeps what the set's members truly signed at the height, each message once. Votes for one value cost one pairing. Ends
 * when `maxRefused` messages were refused; `known` are keys of messages that were kept before, and are left out.
 */
export function verifyMessages({
  height,
  messages,
  set,
  domain,
  maxRefused = Number.POSITIVE_INFINITY,
  known = new Set(),
}: {
  height: Height
  messages: SignedMessages
  set: SequencerSet
  domain: SigningDomain
  maxRefused?: number
  known?: Set<string>
}): VerifiedMessages {
  let refused = 0
  const isHere = (message: { height: Height }) => message.height === height
  /** Those that are checked and hold. */
  const keep = <Message>(
    all: readonly Message[],
    keyOf: (message: Message) => string,
    check: (some: readonly Message[]) => readonly boolean[],
    together = 1,
  ): Verified<Message>[] => {
    const kept: Verified<Message>[] = []
    const fresh = [...uniqueBy(all, keyOf)].filter(([key]) => !known.has(key))
    for (let at = 0; at < fresh.length && refused < maxRefused; at += together) {
      const some = fresh.slice(at, at + together)
      const verdicts = check(some.map(([, message]) => message))
      for (const [i, [key, message]] of some.entries()) {
        if (!verdicts[i]) {
          refused++
          continue
        }
        known.add(key)
        kept.push(asVerified(message))
      }
    }
    return kept
  }
  const checkVotes = (group: readonly Vote[]): boolean[] => {
    const claims = group.flatMap(vote => {
      const key = isHere(vote) && set.members[vote.member]?.publicKey
      return key ? [{ vote, signed: { keys: [key], signature: vote.signature } }] : []
    })
    const digest = voteDigest(domain, group[0]!)
    const verdicts = verifyManyOverOneDigest({ digest, signed: claims.map(({ signed }) => signed) })
    const valid = new Set(claims.filter((_, i) => verdicts[i]).map(({ vote }) => vote))
    return group.map(vote => valid.has(vote))
  }
  const checkAggregate = (aggregate: VoteAggregate): boolean => {
    const content = contentOf(aggregate)
    const keys = aggregate.votes.flatMap(({ member }) => set.members[member]?.publicKey ?? [])
    const areMembers = keys.length === aggregate.votes.length
    const claim = { digest: voteDigest(domain, content), keys, signature: aggregate.signature }
    return isHere(content) && areMembers && verifyAggregate(claim)
  }
  const checkProposal = (proposal: Proposal): boolean => {
    const key = set.members[proposal.proposer]?.publicKey
    const digest = proposalDigest(domain, proposal)
    return isHere(proposal) && !!key && verifyBls({ digest, key, signature: proposal.signature })
  }
  const checkCertificate = (certificate: QuorumCertificate): boolean =>
    isHere(certificate) && verifyCertificate({ certificate, set, domain }).ok
  const votes = groupBy(messages.votes, contentKey).flatMap(group => keep(group, voteKey, checkVotes, maxTogether))
  const aggregates = keep(messages.aggregates, aggregateKey, ([one]) => [checkAggregate(one!)])
  const proposals = keep(messages.proposals, fieldsKey, ([one]) => [checkProposal(one!)])
  const certificates = keep(messages.certificates, fieldsKey, ([one]) => [checkCertificate(one!)])
  return { votes, aggregates, proposals, certificates, refused }
}

const contentKey = ({ height, round, step, blockHash }: Pick<Vote, 'height' | 'round' | 'step' | 'blockHash'>) =>
  `${height} ${round} ${step} ${blockHash}`

const voteKey = ({ member, signature, ...vote }: Vote) => `${contentKey(vote)} ${member} ${signature}`
const aggregateKey = (aggregate: VoteAggregate) => bytesToHex(encodeAggregate(aggregate))
const fieldsKey = (message: Proposal | QuorumCertificate) => Object.values(message).join(' ')

/** The first item of each key. */
function uniqueBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): ReadonlyMap<string, Item> {
  const byKey = new Map<string, Item>()
  for (const item of items) {
    const key = keyOf(item)
    if (!byKey.has(key)) byKey.set(key, item)
  }
  return byKey
}

function groupBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Item[][] {
  const groups = new Map<string, Item[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group) group.push(item)
    else groups.set(key, [item])
  }
  return [...groups.values()]
}
