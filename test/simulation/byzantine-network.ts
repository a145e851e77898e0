import { aggregateSignatures, type BlsSecretKey } from '../../src/base/crypto/bls.js'
import { DecodeError } from '../../src/base/encoding/decode-error.js'
import { type BlockHash, zeroHash } from '../../src/base/primitives/hashes.js'
import type { Height, MemberIndex, Round } from '../../src/base/primitives/quantities.js'
import { type Block, decodeOwnBlock, type EncodedBlock, encodeCertifiedBlock } from '../../src/base/protocol/block.js'
import { contextHash } from '../../src/base/protocol/block-context.js'
import { type BlockHeader, headerHash } from '../../src/base/protocol/block-header.js'
import {
  type ConsensusMessage,
  decodeConsensusMessage,
  encodeConsensusMessage,
  type OutgoingConsensusMessage,
} from '../../src/base/protocol/consensus-message.js'
import { type Proposal, proposalDigest } from '../../src/base/protocol/proposal.js'
import type { SigningDomain } from '../../src/base/protocol/signing-domain.js'
import {
  decodeBlockRange,
  decodeSyncMessage,
  encodeBlockRange,
  encodeSyncMessage,
} from '../../src/base/protocol/sync-message.js'
import { isNil, precommit, prevote, type Vote, type VoteContent, voteDigest } from '../../src/base/protocol/vote.js'
import { contentOf, type VoteAggregate } from '../../src/base/protocol/vote-aggregate.js'
import type { Channel, Peer, PeerId, PeerNetwork } from '../../src/io/network/peer-network.js'
import type { Hostility } from './hostility.js'
import { nodeName } from './node-name.js'

/** Rounds whose blocks are remembered. */
const maxRemembered = 64

/**
 * The wires of a Byzantine sequencer: a real node sits on them, and while a behaviour is on they twist what it says to each
 * peer, signing with its key without its guard.
 */
export class ByzantineNetwork implements PeerNetwork {
  /** Blocks proposed in a round, by `height/round`: what can be voted for. */
  private readonly seen = new Map<string, Block>()
  /** The other block that this node proposed in the round. */
  private readonly variants = new Map<string, Block>()

  constructor(
    private readonly args: {
      readonly inner: PeerNetwork
      readonly hostility: Hostility
      readonly secretKey: BlsSecretKey
      readonly member: MemberIndex
      readonly members: number
      readonly domain: SigningDomain
    },
  ) {}

  get localPeer(): PeerId {
    return this.args.inner.localPeer
  }

  peers(): readonly Peer[] {
    return this.args.inner.peers()
  }

  roundTripMs(peer: PeerId): number | null {
    return this.args.inner.roundTripMs(peer)
  }

  speakForKey(speaks: boolean): void {
    this.args.inner.speakForKey(speaks)
  }

  send(peer: PeerId, channel: Channel, message: Uint8Array): void {
    if (channel === 'blocks' && this.does('false-body'))
      return this.args.inner.send(peer, channel, pushedFalsely(message))
    if (!this.args.hostility.isOn || channel !== 'consensus') return this.args.inner.send(peer, channel, message)
    const decoded = decodeConsensusMessage(message)
    for (const twisted of this.twist(peer, decoded)) this.say(peer, twisted)
  }

  onMessage(channel: Channel, handler: (from: Peer, message: Uint8Array) => void): () => void {
    return this.args.inner.onMessage(channel, (from, message) => {
      if (channel === 'consensus' && this.args.hostility.isOn) this.listen(message)
      handler(from, message)
    })
  }

  onConnect(handler: (peer: Peer) => void): () => void {
    return this.args.inner.onConnect(handler)
  }

  onDisconnect(handler: (peer: Peer) => void): void {
    this.args.inner.onDisconnect(handler)
  }

  request: PeerNetwork['request'] = (...request) => this.args.inner.request(...request)
  onRequest: PeerNetwork['onRequest'] = (kind, handler) =>
    this.args.inner.onRequest(kind, async (from, body) => {
      const answer = await handler(from, body)
      return kind === 'block-range' && this.does('false-body') ? answeredFalsely(answer) : answer
    })
  drop: PeerNetwork['drop'] = (...peer) => this.args.inner.drop(...peer)

  close(): Promise<void> {
    return this.args.inner.close()
  }

  private does = (behaviour: Parameters<Hostility['does']>[0]) => this.args.hostility.does(behaviour)

  private get isLiar(): boolean {
    return this.does('false-deposit') || this.does('false-origin') || this.does('false-time')
  }

  /** What a peer hears in place of a message. */
  private twist(peer: PeerId, message: ConsensusMessage): OutgoingConsensusMessage[] {
    if (this.does('silence')) return []
    if (message.kind === 'proposal') {
      const { proposal } = message
      const block = this.remember(proposal, message.block)
      if (this.does('false-body') && this.isOnOneSide(peer, proposal.height))
        return [{ ...message, block: withOtherBody(block) }]
      const isOwn = proposal.proposer === this.args.member
      return isOwn ? this.twistProposal(peer, { ...message, block }) : [message]
    }
    if (message.kind === 'votes')
      return [{ kind: 'votes', votes: message.votes.flatMap(vote => this.twistVote(peer, vote)) }]
    if (message.kind === 'relay') return this.twistRelay(peer, message.vote)
    if (message.kind === 'aggregate') return this.twistAggregate(peer, message.aggregate)
    return [message]
  }

  private twistRelay(peer: PeerId, vote: Vote): OutgoingConsensusMessage[] {
    const ask = (of: Vote): ConsensusMessage => ({ kind: 'relay', vote: of })
    if (!this.does('relay-to-all') && !this.does('double-relay')) return this.twistVote(peer, vote).map(ask)
    const block = this.seen.get(keyOf(vote))
    const other = this.does('double-relay') ? (isNil(vote.blockHash) ? block?.hash : zeroHash) : undefined
    const second = other ? this.signVote({ ...vote, blockHash: other }) : vote
    for (const { id } of this.peers()) this.say(id, ask(this.isOnOneSide(id, vote.height) ? vote : second))
    return []
  }

  private twistAggregate(peer: PeerId, aggregate: VoteAggregate): OutgoingConsensusMessage[] {
    const { height } = contentOf(aggregate)
    const isForThem = this.isOnOneSide(peer, height)
    if (this.does('withheld-aggregate') && !isForThem) return []
    const false_ = this.signVote({ ...contentOf(aggregate), round: 1_000 }).signature
    const signature = this.does('forged-aggregate') && isForThem ? false_ : aggregate.signature
    const votes = this.does('false-claims')
      ? aggregate.votes.map(vote => ({ ...vote, signature: false_ }))
      : aggregate.votes
    return [{ kind: 'aggregate', aggregate: { votes, signature } }]
  }

  private twistProposal(
    peer: PeerId,
    message: { readonly kind: 'proposal'; readonly proposal: Proposal; readonly block: Block },
  ): OutgoingConsensusMessage[] {
    const { proposal, block } = message
    const { height, round } = proposal
    const before = this.seen.get(keyOf({ height, round: round - 1 }))
    if (this.does('false-valid-round') && round > 0) {
      const shown = (this.isOnOneSide(peer, height) ? before : laterBlock(block)) ?? block
      return this.proposeInstead({ ...proposal, validRound: round - 1 }, shown)
    }
    if (this.does('stolen-proposal') && before) return this.proposeInstead({ ...proposal, validRound: -1 }, before)
    if (this.does('withheld-proposal') && !this.isOnOneSide(peer, proposal.height)) return []
    const other = this.does('invalid-block') ? invalidBlock(block) : laterBlock(block)
    if (!other) return [message]
    const isTwoFaced = this.does('double-proposal') || this.does('split-proposal') || this.does('one-sided-sum')
    if (!isTwoFaced && !this.does('invalid-block')) return [message]
    this.variants.set(keyOf(proposal), other)
    const second: OutgoingConsensusMessage = {
      kind: 'proposal',
      proposal: this.signProposal(proposal, other.hash),
      block: other,
    }
    if (this.does('double-proposal')) return [message, second]
    if (this.does('split-proposal')) return [this.isOnOneSide(peer, proposal.height) ? message : second]
    if (this.does('one-sided-sum')) return [peer === this.blind(proposal.height) ? second : message]
    return [second]
  }

  private proposeInstead(proposal: Proposal, block: Block): OutgoingConsensusMessage[] {
    this.variants.set(keyOf(proposal), block)
    return [{ kind: 'proposal', proposal: this.signProposal(proposal, block.hash), block }]
  }

  private twistVote(peer: PeerId, vote: Vote): Vote[] {
    if (vote.member !== this.args.member) return [vote]
    if (this.does('one-sided-sum') || (this.does('stolen-proposal') && vote.step === precommit)) return []
    const { blockHash } = vote
    const variant = this.variants.get(keyOf(vote))
    const block = this.seen.get(keyOf(vote))
    if ((this.does('invalid-block') || this.does('false-valid-round')) && variant)
      return [this.signVote({ ...vote, blockHash: variant.hash })]
    if (this.does('split-proposal') && variant && !this.isOnOneSide(peer, vote.height))
      return [this.signVote({ ...vote, blockHash: variant.hash })]
    if (this.does('double-vote')) {
      const other = isNil(blockHash) ? block?.hash : zeroHash
      if (other && !this.isOnOneSide(peer, vote.height)) return [this.signVote({ ...vote, blockHash: other })]
    }
    const isForOwnLie = block && this.isLiar && block.context.proposerIndex === this.args.member
    if (isForOwnLie && isNil(blockHash)) return [this.signVote({ ...vote, blockHash: block.hash })]
    if (this.does('amnesia') && vote.step === prevote && isNil(blockHash) && block)
      return [this.signVote({ ...vote, blockHash: block.hash })]
    return [vote]
  }

  private listen(message: Uint8Array): void {
    try {
      this.overhear(decodeConsensusMessage(message))
    } catch (error) {
      // Another enemy's.
      if (!(error instanceof DecodeError)) throw error
    }
  }

  private overhear(message: ConsensusMessage): void {
    if (message.kind === 'votes' && this.does('one-sided-sum')) for (const vote of message.votes) this.confide(vote)
    if (message.kind !== 'proposal') return
    const { proposal } = message
    const isNew = !this.seen.has(keyOf(proposal))
    const block = this.remember(proposal, message.block)
    if (!isNew) return
    if (this.does('false-body')) this.passOnFalsely(proposal, block)
    if (this.does('votes-for-everything')) this.voteForAll(proposal)
    if (this.does('forgery')) this.forge(proposal, block)
  }

  /** Shows one node its prevote for what another prevoted, so that this node alone counts it and can prove it by no single vote. */
  private confide(vote: Vote): void {
    const { height, step, blockHash, member } = vote
    const confidant = this.other(height + 1)
    if (step !== prevote || isNil(blockHash) || member === this.args.member || confidant === nodeName(member)) return
    const own = this.signVote(vote)
    const claimed = { ...own, signature: this.signVote({ ...vote, round: 1_000 }).signature }
    const votes = [vote, claimed].sort((one, two) => one.member - two.member)
    const signature = aggregateSignatures([vote.signature, own.signature])
    this.say(confidant, { kind: 'aggregate', aggregate: { votes, signature } })
  }

  private blind(height: Height): PeerId {
    return this.other(height)
  }

  /** The others, one after the other. */
  private other(turn: number): PeerId {
    const { member, members } = this.args
    return nodeName((member + 1 + (turn % (members - 1))) % members)
  }

  /** What another proposed, with another body, before its own may come. */
  private passOnFalsely(proposal: Proposal, block: Block): void {
    for (const { id } of this.peers())
      if (this.isOnOneSide(id, proposal.height))
        this.say(id, { kind: 'proposal', proposal, block: withOtherBody(block) })
  }

  private voteForAll({ height, round, blockHash }: Proposal): void {
    const votes = [prevote, precommit].flatMap(step =>
      [blockHash, zeroHash].map(value => this.signVote({ height, round, step, blockHash: value })),
    )
    for (const peer of this.peers()) this.say(peer.id, { kind: 'votes', votes })
  }

  /** Votes in the names of all members for a block of its own, and that block as if they had decided it. */
  private forge(proposal: Proposal, block: Block): void {
    const forged = laterBlock(block)
    if (!forged) return
    const { height, round } = proposal
    const false_ = { height, round, blockHash: forged.hash }
    const votes = Array.from({ length: this.args.members }, (_, member) =>
      [proposal.blockHash, forged.hash].flatMap(blockHash =>
        [prevote, precommit].map(step => ({ ...this.signVote({ height, round, blockHash, step }), member })),
      ),
    ).flat()
    const own = this.signVote({ ...false_, step: precommit }).signature
    const all = (1n << BigInt(this.args.members)) - 1n
    // Half of them say that all signed; the others say, truly, that only this node did.
    const absent = height % 2 === 0 ? 0n : all ^ (1n << BigInt(this.args.member))
    const certificate = { ...false_, setId: block.context.setId, absent, signature: own }
    const pushed = encodeSyncMessage({ kind: 'block', certified: { block: forged, certificate } })
    for (const peer of this.peers()) {
      if (this.isOnOneSide(peer.id, height)) this.args.inner.send(peer.id, 'blocks', pushed)
      this.say(peer.id, { kind: 'votes', votes })
      this.say(peer.id, { kind: 'proposal', proposal: { ...proposal, blockHash: forged.hash }, block: forged })
    }
  }

  private remember(proposal: Proposal, encoded: EncodedBlock): Block {
    const block = decodeOwnBlock(encoded.encoded)
    this.seen.set(keyOf(proposal), block)
    for (const old of [this.seen, this.variants])
      for (const key of old.keys()) {
        if (old.size <= maxRemembered) break
        old.delete(key)
      }
    return block
  }

  /** Peers are of two sides, other ones at each height. */
  private isOnOneSide(peer: PeerId, height: Height): boolean {
    return (Number(peer.slice(peer.lastIndexOf('-') + 1)) + height) % 2 === 0
  }

  private signProposal(proposal: Proposal, blockHash: BlockHash): Proposal {
    const content = { ...proposal, blockHash }
    return { ...content, signature: this.args.secretKey.sign(proposalDigest(this.args.domain, content)) }
  }

  private signVote({ height, round, step, blockHash }: VoteContent): Vote {
    const content = { height, round, step, blockHash }
    const signature = this.args.secretKey.sign(voteDigest(this.args.domain, content))
    return { ...content, member: this.args.member, signature, extension: new Uint8Array(0) }
  }

  private say(peer: PeerId, message: OutgoingConsensusMessage): void {
    this.args.inner.send(peer, 'consensus', encodeConsensusMessage(message))
  }
}

const keyOf = ({ height, round }: { height: Height; round: Round }): string => `${height}/${round}`

function changed(block: Block, header: Partial<BlockHeader>, context: Partial<Block['context']> = {}): Block {
  const newContext = { ...block.context, ...context }
  const newHeader = { ...block.header, parentBeaconBlockRoot: contextHash(newContext), ...header }
  return { ...block, header: newHeader, context: newContext, hash: headerHash(newHeader) }
}

/** A valid block beside this one: made a millisecond later. Null where a second ends. */
function laterBlock(block: Block): Block | null {
  const timestampMs = block.context.timestampMs + 1
  return timestampMs % 1_000 === 0 ? null : changed(block, {}, { timestampMs })
}

const falseBlock = (block: EncodedBlock): Block => withOtherBody(decodeOwnBlock(block.encoded))

function pushedFalsely(bytes: Uint8Array): Uint8Array {
  const message = decodeSyncMessage(bytes)
  if (message.kind !== 'block') return bytes
  const { block, certificate } = message.certified
  return encodeSyncMessage({ kind: 'block', certified: { block: falseBlock(block), certificate } })
}

function answeredFalsely(bytes: Uint8Array): Uint8Array {
  const blocks = decodeBlockRange(bytes)
  return encodeBlockRange(
    blocks.map(({ block, certificate }) => encodeCertifiedBlock({ block: falseBlock(block), certificate })),
  )
}

/** The same header and hash, and a body that is not the header's. */
function withOtherBody(block: Block): Block {
  const credit = { index: 1, validatorIndex: 0, address: block.header.feeRecipient, amount: 10n ** 9n }
  return block.header.number % 2 === 0
    ? { ...block, transactions: [...block.transactions, Uint8Array.of(1)] }
    : { ...block, withdrawals: [...block.withdrawals, credit] }
}

/** A block that claims a state which its transactions do not give. */
function invalidBlock(block: Block): Block {
  return changed(block, { stateRoot: block.header.transactionsRoot })
}
