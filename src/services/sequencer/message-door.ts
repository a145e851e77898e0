import { DecodeError } from '../../base/encoding/decode-error.js'
import type { Height, MemberIndex, Round } from '../../base/primitives/quantities.js'
import { type Block, type EncodedBlock, openBlock } from '../../base/protocol/block.js'
import { type ConsensusMessage, decodeConsensusMessage } from '../../base/protocol/consensus-message.js'
import { type Proposal, proposalDigest } from '../../base/protocol/proposal.js'
import { memberByKey, type SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import type { Vote, VoteStep } from '../../base/protocol/vote.js'
import { contentOf, type VoteAggregate } from '../../base/protocol/vote-aggregate.js'
import type { ConsensusSigner } from '../../io/keys/consensus-signer.js'
import type { SignatureVerifier } from '../../io/keys/signature-verifier.js'
import type { Peer, PeerId, PeerNetwork } from '../../io/network/peer-network.js'
import type { Logger } from '../../io/telemetry/logger.js'
import { bodyLimits } from '../../rules/blocks/block-room.js'
import { checkProposal } from '../../rules/blocks/proposal-rules.js'
import { proposerOf } from '../../rules/consensus/proposer-rotation.js'
import { asVerified, type Verified } from '../../rules/consensus/verified.js'
import type { ProtocolSchedule } from '../../rules/upgrades/protocol-schedule.js'
import { OwnMessageWatch } from './signing/own-message-watch.js'
import { type Bearer, type CountedVotes, VoteDoor } from './votes/vote-door.js'

/** Rounds ahead of the current one from which a proposal is kept. */
const maxProposalLead = 8
/** Messages of the next height that are kept of one member while this height ends, and how many of them proposals. */
const maxBufferedOfMember = 16
const maxBufferedProposalsOfMember = 1

interface Sender extends Bearer {
  readonly peer: Peer
}

export interface MessageDoorPorts {
  readonly verifier: Pick<SignatureVerifier, 'verify' | 'sum'>
  /** Hears of messages that name its key and come from others. */
  readonly signer: Pick<ConsensusSigner, 'publicKey' | 'observe'>
  readonly network: Pick<PeerNetwork, 'onMessage' | 'drop'>
  readonly logger: Logger
  readonly onProposal: (proposal: Verified<Proposal>, block: Block) => void
  readonly onVotes: (votes: Verified<Vote>[]) => void
  readonly onAggregate: (aggregate: Verified<VoteAggregate>) => void
  /** What the core makes of votes of this height. */
  readonly counted: CountedVotes
  /** A member asks this node to pass on its vote of this height or the one before. Nothing is checked but that it names itself. */
  readonly onRelay: (vote: Vote, from: PeerId) => void
  /** Votes came, of whatever height, alone or in an aggregate; nothing of them is checked. */
  readonly onVotesSeen: (votes: readonly Vote[]) => void
  readonly onStatus: (from: Bearer, status: Extract<ConsensusMessage, { kind: 'status' }>) => void
  /** A member's node sent a well-formed message about this height, or another says that it has a vote of the member. */
  readonly onHeard: (heard: { member: MemberIndex; height: Height }) => void
  readonly currentRound: () => Round
  /** Whether the height in progress is this node's to decide; if not, nobody is judged by what comes. */
  readonly isOpen: () => boolean
  readonly onFailure: (error: unknown) => void
}

/** Where consensus messages come in: decoded, their sender and signature checked, the next height's kept for later. */
export class MessageDoor {
  private readonly votes: VoteDoor
  private readonly own: OwnMessageWatch
  private height: Height = 0
  private set: SequencerSet = { setId: 0, members: [], totalPower: 0n }
  /** What each member brought proposals of (`sayingOf`), by `round/bearer`. */
  private readonly proposalsBrought = new Map<string, Set<string>>()
  /** What the proposals that passed say, by round. */
  private readonly proposalsTaken = new Map<Round, Set<string>>()
  private buffered: { message: ConsensusMessage; from: Sender }[] = []

  constructor(
    private readonly args: {
      readonly config: { readonly domain: SigningDomain; readonly protocol: Pick<ProtocolSchedule, 'at'> }
      readonly ports: MessageDoorPorts
    },
  ) {
    const { config, ports } = args
    this.votes = new VoteDoor(
      {
        verifier: ports.verifier,
        domain: config.domain,
        onVerified: ports.onVotes,
        onAggregate: ports.onAggregate,
        counted: ports.counted,
        onForged: (vote, from) => this.punishForged(vote, from),
        onFailure: ports.onFailure,
      },
      this.set,
      0,
    )
    this.own = new OwnMessageWatch({
      signer: ports.signer,
      logger: ports.logger,
      onForged: (from, detail) => this.punish(from, 'forged vote', detail),
    })
    ports.network.onMessage('consensus', (from, bytes) => this.receive(from, bytes))
  }

  startHeight(height: Height, set: SequencerSet): void {
    this.height = height
    this.set = set
    this.proposalsBrought.clear()
    this.proposalsTaken.clear()
    this.votes.startHeight(height, set)
    this.own.startHeight(set)
  }

  /** Lets in what came early for the height that has just begun. */
  deliverBuffered(): void {
    const waiting = this.buffered
    this.buffered = []
    for (const { message, from } of waiting) {
      // The set may be another one, in which the same index is somebody else.
      const again = this.senderOf(from.peer)
      if (again) this.admit(message, again)
    }
  }

  /** Counts a vote that needs no check here: this node's own, or one read back from the log, which holds only checked ones. */
  countChecked(vote: Vote): void {
    this.votes.countChecked(vote, this.args.ports.currentRound())
  }

  /** As `countChecked`, for an aggregate. */
  countCheckedAggregate(aggregate: VoteAggregate): void {
    this.votes.countCheckedAggregate(aggregate, this.args.ports.currentRound())
  }

  /** Members of whom a vote of this round and step is at hand, verified or waiting for its check. */
  heard(round: Round, step: VoteStep): MemberIndex[] {
    return this.votes.heard(round, step)
  }

  private receive(from: Peer, bytes: Uint8Array): void {
    const sender = this.senderOf(from)
    if (!sender || !this.args.ports.isOpen()) return
    try {
      const message = decodeConsensusMessage(bytes)
      this.args.ports.onHeard({ member: sender.member, height: heightOf(message) })
      this.admit(message, sender)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      this.punish(from.id, 'malformed consensus message', error.message)
    }
  }

  /** The peer as a member of the set of this height, if it is one. */
  private senderOf(peer: Peer): Sender | null {
    const member = peer.consensusKey && memberByKey(this.set, peer.consensusKey)
    return member ? { id: peer.id, member: member.index, peer } : null
  }

  private admit(message: ConsensusMessage, from: Sender): void {
    const { ports } = this.args
    switch (message.kind) {
      case 'status':
        return ports.onStatus(from, message)
      case 'votes': {
        ports.onVotesSeen(message.votes)
        const next = message.votes.filter(vote => vote.height === this.height + 1)
        if (next.length > 0) this.buffer({ kind: 'votes', votes: next }, from)
        this.lookForOwn(message.votes, { from: from.id, isToBlame: true })
        for (const vote of message.votes) this.votes.take(vote, from, ports.currentRound())
        return
      }
      case 'relay': {
        const { vote } = message
        if (vote.height === this.height + 1) return this.buffer(message, from)
        const isOfUse = vote.height === this.height || vote.height === this.height - 1
        if (isOfUse && vote.member === from.member) ports.onRelay(vote, from.id)
        return
      }
      case 'aggregate': {
        const { aggregate } = message
        const { height } = contentOf(aggregate)
        // Also when it comes late: its members are up. What is claimed of heights to come counts for no more than the next.
        for (const { member } of aggregate.votes) ports.onHeard({ member, height: Math.min(height, this.height + 1) })
        ports.onVotesSeen(aggregate.votes)
        if (height === this.height + 1) return this.buffer(message, from)
        if (height !== this.height) return
        this.lookForOwn(aggregate.votes, { from: from.id, isToBlame: false })
        return this.votes.takeAggregate(aggregate, from, ports.currentRound())
      }
      case 'proposal':
        if (message.proposal.height === this.height + 1) return this.buffer(message, from)
        return void this.takeProposal(message, from).catch(ports.onFailure)
    }
  }

  /** Shows the signer votes of its key that this node did not send. */
  private lookForOwn(votes: readonly Vote[], bearer: { from: PeerId; isToBlame: boolean }): void {
    const own = votes.filter(
      vote => vote.height === this.height && vote.member === this.own.member && !this.votes.isKnown(vote),
    )
    if (own.length > 0) void this.own.lookAt(own, bearer)
  }

  private buffer(message: ConsensusMessage, from: Sender): void {
    const ofMember = this.buffered.filter(entry => entry.from.member === from.member)
    if (ofMember.length >= maxBufferedOfMember) return
    const proposals = ofMember.filter(entry => entry.message.kind === 'proposal').length
    if (message.kind === 'proposal' && proposals >= maxBufferedProposalsOfMember) return
    this.buffered.push({ message, from })
  }

  private async takeProposal(
    { proposal, block: encoded }: Extract<ConsensusMessage, { kind: 'proposal' }>,
    from: Bearer,
  ): Promise<void> {
    const { height, round } = proposal
    if (height !== this.height || round > this.args.ports.currentRound() + maxProposalLead) return
    const proposer = this.set.members[proposal.proposer]
    if (!proposer || proposerOf(this.set, height, round) !== proposal.proposer) return
    // Two proposals of one round are an equivocation to report; more are noise.
    const saying = sayingOf(proposal)
    const taken = this.proposalsTaken.get(round) ?? new Set<string>()
    this.proposalsTaken.set(round, taken)
    if (taken.has(saying) || taken.size >= 2) return
    // By bearer, so that what one forges does not shut out the true proposal that another brings.
    const key = `${round}/${from.member}`
    const brought = this.proposalsBrought.get(key) ?? new Set<string>()
    if (brought.has(saying) || brought.size >= 2) return
    this.proposalsBrought.set(key, brought.add(saying))
    const digest = proposalDigest(this.args.config.domain, proposal)
    const [valid] = await this.args.ports.verifier.verify({
      digest,
      signed: [{ keys: [proposer.publicKey], signature: proposal.signature }],
    })
    if (height !== this.height) return
    if (!valid) return this.punish(from.id, 'forged proposal', `height ${height}, round ${round}`)
    if (proposal.proposer === this.own.member) await this.own.lookAtProposal(proposal)
    const block = this.openProposed(proposal, encoded, from)
    if (!block) return
    if (height !== this.height || taken.has(saying)) return
    taken.add(saying)
    this.args.ports.onProposal(asVerified(proposal), block)
  }

  /** The block of a proposal that may be voted for, or null: then its bearer passed on, or made, what nobody should have. */
  private openProposed(proposal: Proposal, encoded: EncodedBlock, from: Bearer): Block | null {
    const { height, round } = proposal
    const protocol = this.args.config.protocol.at(height)
    const no = (reason: string, detail: string) => {
      // Of another version it may be good.
      if (encoded.context.version === protocol.version)
        this.punish(from.id, `false proposal: ${reason}`, `height ${height}, round ${round}: ${detail}`)
      return null
    }
    try {
      const block = openBlock(encoded, bodyLimits(protocol))
      const checked = checkProposal({ proposal, block, set: this.set, parameters: protocol.parameters })
      return checked.ok ? block : no(checked.error.reason, checked.error.detail)
    } catch (error) {
      if (error instanceof DecodeError) return no('body', error.message)
      throw error
    }
  }

  /** A signature that the peer should have checked, or made, does not hold. */
  punishForged({ member, height, round }: Vote, from: PeerId): void {
    this.punish(from, 'forged vote', `member ${member}, height ${height}, round ${round}`)
  }

  private punish(peer: PeerId, reason: string, detail: string): void {
    this.args.ports.logger.warn('peer misbehaves on the consensus channel', { peer, reason, detail })
    this.args.ports.network.drop(peer, { reason, detail })
  }
}

/** What a member may say once in a round: the same block with another valid round is something else. */
const sayingOf = ({ blockHash, validRound }: Proposal): string => `${blockHash}/${validRound}`

function heightOf(message: ConsensusMessage): Height {
  switch (message.kind) {
    case 'status':
      return message.height
    case 'proposal':
      return message.proposal.height
    case 'votes':
      return message.votes.reduce((highest, { height }) => Math.max(highest, height), 0)
    case 'relay':
      return message.vote.height
    case 'aggregate':
      return contentOf(message.aggregate).height
  }
}
