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

/** Keeps what the set's members truly signed at the height, each message once. Votes for one value cost one pairing. */
export function verifyMessages({
  height,
  messages,
  set,
  domain,
}: {
  height: Height
  messages: SignedMessages
  set: SequencerSet
  domain: SigningDomain
}): VerifiedMessages {
  let refused = 0
  const keepIf = <Message>(holds: boolean, message: Message): Verified<Message>[] => {
    if (holds) return [asVerified(message)]
    refused++
    return []
  }
  const isHere = (message: { height: Height }) => message.height === height
  const groups = groupBy(
    [...uniqueBy(messages.votes, ({ member, signature, ...vote }) => `${contentKey(vote)} ${member} ${signature}`)],
    contentKey,
  )
  const votes = groups.flatMap(group => {
    const known = group.filter(vote => isHere(vote) && set.members[vote.member])
    refused += group.length - known.length
    const verdicts = verifyManyOverOneDigest({
      digest: voteDigest(domain, group[0]!),
      signed: known.map(({ member, signature }) => ({ keys: [set.members[member]!.publicKey], signature })),
    })
    return known.flatMap((vote, i) => keepIf(verdicts[i]!, vote))
  })
  const aggregates = uniqueBy(messages.aggregates, aggregate => bytesToHex(encodeAggregate(aggregate))).flatMap(
    aggregate => {
      const content = contentOf(aggregate)
      const keys = aggregate.votes.flatMap(({ member }) => set.members[member]?.publicKey ?? [])
      const areMembers = keys.length === aggregate.votes.length
      const claim = { digest: voteDigest(domain, content), keys, signature: aggregate.signature }
      return keepIf(isHere(content) && areMembers && verifyAggregate(claim), aggregate)
    },
  )
  const proposals = uniqueBy(messages.proposals, proposal => Object.values(proposal).join(' ')).flatMap(proposal => {
    const key = set.members[proposal.proposer]?.publicKey
    const digest = proposalDigest(domain, proposal)
    const holds = isHere(proposal) && !!key && verifyBls({ digest, key, signature: proposal.signature })
    return keepIf(holds, proposal)
  })
  const certificates = uniqueBy(messages.certificates, certificate => Object.values(certificate).join(' ')).flatMap(
    certificate => keepIf(isHere(certificate) && verifyCertificate({ certificate, set, domain }).ok, certificate),
  )
  return { votes, aggregates, proposals, certificates, refused }
}

const contentKey = ({ height, round, step, blockHash }: Pick<Vote, 'height' | 'round' | 'step' | 'blockHash'>) =>
  `${height} ${round} ${step} ${blockHash}`

function uniqueBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Item[] {
  const byKey = new Map<string, Item>()
  for (const item of items) {
    const key = keyOf(item)
    if (!byKey.has(key)) byKey.set(key, item)
  }
  return [...byKey.values()]
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
