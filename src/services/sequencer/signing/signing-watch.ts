import type { BlsPublicKeyBytes } from '../../../base/crypto/bls.js'
import type { Hex } from '../../../base/primitives/bytes.js'
import { MorphismError } from '../../../base/primitives/morphism-error.js'
import type { BatchIndex, Height, Round } from '../../../base/primitives/quantities.js'
import type { QuorumCertificate } from '../../../base/protocol/quorum-certificate.js'
import { isQuorum, memberByKey, powerOf, type SequencerSet } from '../../../base/protocol/sequencer-set.js'
import { precommit } from '../../../base/protocol/vote.js'
import type {
  AttestationContent,
  ConsensusSigner,
  Observation,
  ObservedMessage,
  ProposalContent,
  VoteToSign,
} from '../../../io/keys/consensus-signer.js'
import { SignerRefusal } from '../../../io/keys/signer-refusal.js'
import { type SigningStop, stopFields } from '../../../io/keys/signing-record.js'
import type { PeerNetwork } from '../../../io/network/peer-network.js'
import type { Logger } from '../../../io/telemetry/logger.js'
import type { Clock } from '../../../io/time/clock.js'
import { membersBehind } from '../members-behind.js'

/** How long a quorum is connected before what its peers say of their heads counts as complete. */
const greetingMs = 250
/** How long the network is listened to before the first signature: a message is wanted, and its height stays undecided. */
const listenMs = 500
/** Heights decided without this key that are as good: a certificate may lack one third of those who signed. */
const listenHeights = 4
const lookMs = 50
/** How often the clock is looked at, and what it may be ahead of that: beyond it the process stood still, or was put back by a machine that went on from a snapshot. */
const beatMs = 1_000
const maxStandstillMs = 5_000
/** How long a head one above the own, which nobody has proved, holds the first signature back. */
const unprovedHeadMs = 10_000

export interface SigningWatchPorts {
  readonly signer: ConsensusSigner
  readonly sets: { setAt(height: Height): SequencerSet }
  readonly network: Pick<PeerNetwork, 'peers' | 'speakForKey'>
  /** Height of the own chain, and of the best head that peers speak of. */
  readonly height: () => Height
  readonly bestKnownHeight: () => Height
  /** The newest batch up to which all have their certificate. */
  readonly latestCertifiedBatch: () => BatchIndex
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * The signer of a running sequencer, which watches the network for its own key (spec/signing.md). It signs no vote or
 * proposal before it has listened: with a restored backup of the record, or beside a second instance of the node, it
 * learns so before it does harm. Certificates of the chain that hold its signature are shown to the signer. Once it has
 * stopped it no longer speaks for its key, so that whoever else signs with it has the key's place among the peers.
 */
export class SigningWatch implements ConsensusSigner {
  private isListening = true
  /** Since when the chain was level with the network: certificates that come later are of blocks decided just now. */
  private levelSinceMs: number | null = null
  private levelHeight: Height = 0
  /** The height in progress, and since when a message of it is asked for: then another instance would sign as well. */
  private wanted: { readonly height: Height; readonly sinceMs: number } | null = null
  private heightsWithout = 0
  private quorumSinceMs: number | null = null
  /** What is to be signed once the network was listened to. */
  private held: Held[] = []
  /** What peers show of this key before it is known which heights are decided. */
  private shown: Held[] = []
  private cancelLook: () => void = () => {}
  private cancelBeat: () => void = () => {}
  private lastBeatMs: number
  private lastPrecommit: { readonly height: Height; readonly round: Round; readonly blockHash: string } | null = null
  private floorWanted: Height = 0
  private raising: Promise<void> | null = null
  private isStopReported = false
  /** The instance of the signer for which the network is, or was, listened to. */
  private listenedFor: Hex

  constructor(private readonly ports: SigningWatchPorts) {
    this.lastBeatMs = ports.clock.nowMs()
    this.listenedFor = ports.signer.instanceId
    this.reportStop()
    this.look()
    this.beat()
  }

  get publicKey(): BlsPublicKeyBytes {
    return this.ports.signer.publicKey
  }

  get instanceId(): Hex {
    return this.ports.signer.instanceId
  }

  get stop(): SigningStop | null {
    return this.ports.signer.stop
  }

  get isReachable(): boolean {
    return this.ports.signer.isReachable
  }

  /** For status: why nothing is signed, or that it is. */
  state(): 'active' | 'listening' | 'signer-away' | SigningStop['reason'] {
    if (this.stop) return this.stop.reason
    if (!this.isReachable) return 'signer-away'
    return this.isListening ? 'listening' : 'active'
  }

  async signProposal(content: ProposalContent): Promise<Uint8Array> {
    await this.turn(content.height)
    return this.reporting(this.ports.signer.signProposal(content))
  }

  async signVote(content: VoteToSign): Promise<Uint8Array> {
    await this.turn(content.height)
    const signature = await this.reporting(this.ports.signer.signVote(content))
    if (content.step === precommit) this.lastPrecommit = content
    return signature
  }

  /** Not held: a batch follows from decided blocks, so that every instance attests the same. */
  signAttestation(content: AttestationContent): Promise<Uint8Array> {
    return this.reporting(this.ports.signer.signAttestation(content))
  }

  signNodeBinding(peerId: Uint8Array): Promise<Uint8Array> {
    return this.ports.signer.signNodeBinding(peerId)
  }

  /** What the key signed for heights and batches that are decided says nothing: whoever kept it may show it at any time. */
  async observe(message: ObservedMessage): Promise<Observation> {
    if (message.kind === 'attestation') {
      if (!this.isLevel() || message.content.batchIndex <= this.ports.latestCertifiedBatch()) return 'expected'
    } else {
      const { height } = message.content
      if (!this.isLevel()) await new Promise<void>(release => this.shown.push({ height, release }))
      if (height <= this.ports.height()) return 'expected'
    }
    return this.show(message)
  }

  raiseFloor(height: Height): Promise<void> {
    return this.ports.signer.raiseFloor(height)
  }

  /** The certificate of a block that joined the chain, verified. */
  onCertificate({ height, round, blockHash, absent }: QuorumCertificate): void {
    const own = memberByKey(this.ports.sets.setAt(height), this.publicKey)
    const hasSigned = own !== undefined && ((absent >> BigInt(own.index)) & 1n) === 0n
    if (this.stop) return
    if (!hasSigned) {
      if (this.levelSinceMs !== null) this.heightsWithout++
      return
    }
    if (this.levelSinceMs === null) return this.wantFloor(height)
    const last = this.lastPrecommit
    if (last && last.height === height && last.round === round && last.blockHash === blockHash) return
    const content = { height, round, step: precommit, blockHash }
    this.quietly(this.show({ kind: 'vote', content, signature: 'certified' }))
  }

  /** Ends the watch; the signer itself stays open for whom it belongs to. */
  async close(): Promise<void> {
    this.cancelLook()
    this.cancelBeat()
    releaseAll(this.shown)
  }

  private show(message: ObservedMessage): Promise<Observation> {
    return this.reporting(this.ports.signer.observe({ ...message, isFresh: this.isFresh(message) }))
  }

  /** Whether the chain is, or was when the signing began, level with the network. */
  private isLevel(): boolean {
    return !this.isListening || this.levelSinceMs !== null
  }

  /** The height that was in progress when the chain came level may hold votes of before the start. */
  private isFresh({ kind, content }: ObservedMessage): boolean {
    if (kind === 'attestation' || this.levelSinceMs === null) return !this.isListening
    return !this.isListening || content.height > this.levelHeight + 1
  }

  /** Resolves when a message of this height may be signed. @throws SignerRefusal when it is decided meanwhile */
  private async turn(height: Height): Promise<void> {
    this.noticeStandstill()
    this.noticeNewSigner()
    if (!this.isListening || this.stop) return
    if (this.wanted?.height !== height) this.wanted = { height, sinceMs: this.ports.clock.nowMs() }
    await new Promise<void>(release => this.held.push({ height, release }))
    if (height <= this.ports.height())
      throw new SignerRefusal('BELOW_RECORD', 'the height was decided while the network was listened to', { height })
  }

  private beat(): void {
    this.noticeStandstill()
    this.noticeNewSigner()
    this.cancelBeat = this.ports.clock.schedule(beatMs, () => this.beat())
  }

  /** While it stood still, another instance may have signed; and a snapshot of the machine has an older record. */
  private noticeStandstill(): void {
    const nowMs = this.ports.clock.nowMs()
    const stoodMs = nowMs - this.lastBeatMs - beatMs
    this.lastBeatMs = nowMs
    if (stoodMs < maxStandstillMs || this.stop) return
    this.ports.logger.warn('this process stood still: the network is listened to before it signs again', { stoodMs })
    this.listenAgain()
  }

  /** A signer in another process was started anew: a stop may have ended, and its record may be another one. */
  private noticeNewSigner(): void {
    const { instanceId } = this
    if (instanceId === this.listenedFor) return
    this.listenedFor = instanceId
    this.isStopReported = false
    this.lastPrecommit = null
    if (!this.stop) this.ports.network.speakForKey(true)
    this.ports.logger.warn('the signer was started anew: the network is listened to before it signs again')
    this.listenAgain()
  }

  private look(): void {
    this.noticeNewSigner()
    const now = this.ports.clock.nowMs()
    if (this.isReachable && this.isQuorumConnected()) this.quorumSinceMs ??= now
    else this.startOver()
    const { quorumSinceMs: quorum } = this
    if (this.levelSinceMs === null && quorum !== null && now - quorum >= greetingMs && this.isCaughtUp(now - quorum)) {
      this.levelSinceMs = now
      this.levelHeight = this.ports.height()
      releaseAll(this.shown)
    }
    this.releaseDecided()
    if (this.stop || (quorum !== null && this.hasListened(now))) return this.begin()
    this.cancelLook = this.ports.clock.schedule(lookMs, () => this.look())
  }

  /** What the record may lack is listened for as after a start. */
  private listenAgain(): void {
    if (this.isListening) return this.startOver()
    this.isListening = true
    this.wanted = null
    this.startOver()
    this.look()
  }

  /** Without a quorum nobody is heard, and without the signer nobody judges it: what was listened to before says nothing of what was signed since. */
  private startOver(): void {
    this.quorumSinceMs = null
    this.levelSinceMs = null
    this.heightsWithout = 0
  }

  private hasListened(now: number): boolean {
    const { levelSinceMs: level, wanted, heightsWithout } = this
    if (level === null) return false
    if (heightsWithout >= listenHeights) return true
    return wanted !== null && wanted.height > this.ports.height() && now - Math.max(wanted.sinceMs, level) >= listenMs
  }

  private releaseDecided(): void {
    const decided = this.ports.height()
    this.held = releaseUpTo(decided, this.held)
    this.shown = releaseUpTo(decided, this.shown)
  }

  private begin(): void {
    this.isListening = false
    if (!this.stop) this.ports.logger.info('nobody else was heard to sign with this key: signing begins')
    releaseAll(this.held)
    releaseAll(this.shown)
  }

  private isCaughtUp(waitedMs: number): boolean {
    const ahead = this.ports.bestKnownHeight() - this.ports.height()
    return ahead <= 0 || (ahead === 1 && waitedMs >= unprovedHeadMs)
  }

  /** Whether the connected sequencers and this one could decide a height: only then is a signature of use. */
  private isQuorumConnected(): boolean {
    const set = this.ports.sets.setAt(this.ports.height() + 1)
    const self = memberByKey(set, this.publicKey)?.index ?? null
    return isQuorum(set, powerOf(set, membersBehind({ set, peers: this.ports.network.peers(), self })))
  }

  /** Raises the floor of the signer, one call at a time. */
  private wantFloor(height: Height): void {
    this.floorWanted = Math.max(this.floorWanted, height)
    if (this.raising) return
    const wanted = this.floorWanted
    this.raising = this.ports.signer.raiseFloor(wanted).catch(this.ignoreKnown)
    void this.raising.then(() => {
      this.raising = null
      if (this.floorWanted > wanted) this.wantFloor(this.floorWanted)
    })
  }

  private async reporting<Value>(answer: Promise<Value>): Promise<Value> {
    try {
      return await answer
    } finally {
      this.reportStop()
    }
  }

  private reportStop(): void {
    const { stop } = this
    if (!stop || this.isStopReported) return
    this.isStopReported = true
    this.ports.logger.error(stopMessages[stop.reason], stopFields(stop))
    this.ports.network.speakForKey(false)
  }

  private quietly(answer: Promise<unknown>): void {
    answer.catch(this.ignoreKnown)
  }

  /** A signer that is away reports that itself. */
  private readonly ignoreKnown = (error: unknown): void => {
    if (!(error instanceof MorphismError)) throw error
    this.ports.logger.debug('the signer could not be told of a certificate', { error })
  }
}

/** Somebody who waits, for the sake of a message of this height. */
interface Held {
  readonly height: Height
  readonly release: () => void
}

function releaseAll(waiting: Held[]): void {
  for (const { release } of waiting.splice(0)) release()
}

/** Releases those of decided heights; returns the others. */
function releaseUpTo(decided: Height, waiting: readonly Held[]): Held[] {
  for (const { height, release } of waiting) if (height <= decided) release()
  return waiting.filter(({ height }) => height > decided)
}

const stopMessages = {
  KEY_IN_USE_ELSEWHERE:
    'KEY_IN_USE_ELSEWHERE: another signer uses this consensus key. This node signs no more until an operator resumes it',
  SIGNING_RECORD_BEHIND:
    'SIGNING_RECORD_BEHIND: the network shows signatures of this key that are newer than its record (a restored backup?). This node signs no more until the newest record is imported or an operator resumes it',
} as const
