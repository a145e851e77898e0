import { setMaxListeners } from 'node:events'
import { DecodeError } from '../../base/encoding/decode-error.js'
import { InvariantError } from '../../base/primitives/invariant.js'
import type { Height } from '../../base/primitives/quantities.js'
import type { Result } from '../../base/primitives/result.js'
import { type CertifiedBlock, type EncodedCertifiedBlock, encodeCertifiedBlock } from '../../base/protocol/block.js'
import { type QuorumCertificate, verifyCertificate } from '../../base/protocol/quorum-certificate.js'
import { memberByKey, type SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import {
  blockRangeBytes,
  decodeBlockRangeRequest,
  decodeSyncMessage,
  encodeBlockRange,
  encodeSyncMessage,
} from '../../base/protocol/sync-message.js'
import type { Peer, PeerId, PeerNetwork } from '../../io/network/peer-network.js'
import type { Logger } from '../../io/telemetry/logger.js'
import type { Counter, Metrics } from '../../io/telemetry/metrics.js'
import { type Clock, pause } from '../../io/time/clock.js'
import { type BlockRange, BlockSources } from './block-sources.js'
import { type ComparedChain, ForkWatch } from './fork-watch.js'
import { ServedBlocks } from './served-blocks.js'

/** How long a sequencer waits for its own consensus to decide a height that others have decided, before it asks for the block. */
const graceMs = 100
/** How often a peer that does not follow hears of a moving head: a message a block would be a fifth of all consensus traffic. */
const headIntervalMs = 100
/** After this without a new block the head is told again, to all: the message that told it may have been lost, and with it a peer that stands still. */
const headRepeatMs = 1_000
/** How often a follower looks whether its provider still delivers. */
const checkMs = 200
/** Fetched blocks whose signatures are checked together: about 15 ms at a time. */
const provedTogether = 32
/** Pushed blocks beyond the next one that are kept until the gap is filled. */
const maxAhead = 64
/** Pushed blocks of the next height that wait while one is imported: the true one may be any of them. */
const maxPushedNext = 8

/** The chain as the syncer uses it. */
export interface SyncedChain extends ComparedChain {
  height(): Height
  certifiedBlockAt(height: Height): Promise<CertifiedBlock | null>
  /** Checks the signatures of blocks together before they are imported one by one. */
  prove(blocks: readonly EncodedCertifiedBlock[]): Promise<void>
  import(certified: EncodedCertifiedBlock): Promise<Result<void, { readonly reason: string; readonly detail: string }>>
  onCommitted(listener: (committed: CertifiedBlock) => void): void
  /** Why no further block can be imported, or null. */
  versionHalt(): object | null
}

export interface SyncerPorts {
  readonly chain: SyncedChain
  readonly network: Pick<
    PeerNetwork,
    'peers' | 'send' | 'onMessage' | 'onConnect' | 'onDisconnect' | 'request' | 'onRequest' | 'drop'
  >
  readonly sets: { setAt(height: Height): SequencerSet }
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  /** An invariant broke: the node must stop. */
  readonly fail: (error: InvariantError) => void
}

export interface SyncerConfig {
  readonly domain: SigningDomain
  /** A follower wants every block pushed; a sequencer decides for itself and asks only when it is behind. */
  readonly role: 'sequencer' | 'full'
}

/**
 * Keeps the chain level with the network: proves its own head to peers, pushes new blocks to those who follow, and fetches
 * certified blocks when it is behind. Every block is verified and re-executed by the chain; a peer that sent a bad one is dropped.
 */
export class Syncer {
  private readonly heads = new Map<PeerId, Height>()
  private readonly followers = new Set<PeerId>()
  private readonly sources: BlockSources
  private readonly served: ServedBlocks
  private readonly forks: ForkWatch
  /** Pushed blocks by height: beyond the next one such as a quorum signed, one of a height; of the next one each that came, one of a peer. */
  private readonly ahead = new Map<Height, { certified: EncodedCertifiedBlock; from: PeerId }[]>()
  private readonly imported: Counter
  private readonly refused: Counter
  private provider: PeerId | null = null
  /** This node's own view keeps it from taking what a quorum signed. */
  private isHeldUp = false
  private catchingUp: Promise<void> | null = null
  private importing: Promise<void> | null = null
  private readonly stopping = new AbortController()
  private behindSinceMs: number | null = null
  private cancelCheck: () => void = () => {}
  private cancelHead: (() => void) | null = null
  private lastHeadMs: number

  constructor(
    private readonly config: SyncerConfig,
    private readonly ports: SyncerPorts,
  ) {
    const { network, chain, metrics, clock } = ports
    this.lastHeadMs = clock.nowMs()
    this.served = new ServedBlocks(clock)
    // One for each request that waits, of which there are no more than the network serves at once.
    setMaxListeners(0, this.stopping.signal)
    this.sources = new BlockSources({
      network,
      clock,
      stopping: this.stopping.signal,
      onMalformed: (peer, detail) => this.punish(peer, { reason: 'malformed block range', detail }),
    })
    this.forks = new ForkWatch({
      chain,
      onForged: (peer, { height }) =>
        this.punish(peer, { reason: 'forged certificate', detail: `of another block than was decided at ${height}` }),
      onFailure: error => this.report('a certificate could not be compared with the own', error),
    })
    this.imported = metrics.counter('morphism_syncer_imported_blocks_total', 'Certified blocks imported from peers')
    this.refused = metrics.counter('morphism_syncer_refused_blocks_total', 'Certified blocks refused')
    network.onMessage('blocks', (from, bytes) => this.receive(from, bytes))
    network.onRequest('block-range', (from, body) => this.serve(from, body))
    network.onConnect(peer => this.greet(peer))
    network.onDisconnect(peer => this.forget(peer.id))
    chain.onCommitted(committed => this.announce(committed))
    for (const peer of network.peers()) this.greet(peer)
    this.check()
  }

  /** Height of the best head that any peer has proved, at least the own one. */
  bestKnownHeight(): Height {
    let best = this.ports.chain.height()
    for (const height of this.heads.values()) if (height > best) best = height
    return best
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    this.cancelCheck()
    this.cancelHead?.()
    await this.catchingUp
    await this.importing
    await this.forks.stop()
  }

  private greet(peer: Peer): void {
    const certificate = this.ports.chain.certificateAt(this.ports.chain.height())
    if (certificate) this.ports.network.send(peer.id, 'blocks', encodeSyncMessage({ kind: 'head', certificate }))
    if (this.config.role === 'full' && !this.provider) this.follow(peer.id)
  }

  private forget(peer: PeerId): void {
    this.heads.delete(peer)
    this.followers.delete(peer)
    if (this.provider === peer) this.changeProvider()
  }

  private follow(peer: PeerId): void {
    this.provider = peer
    this.ports.network.send(peer, 'blocks', encodeSyncMessage({ kind: 'follow', on: true }))
  }

  private changeProvider(): void {
    const last = this.provider
    this.provider = null
    if (this.config.role !== 'full') return
    const peers = this.ports.network.peers()
    const start = peers.findIndex(peer => peer.id === last) + 1
    const next = peers.length > 0 ? peers[start % peers.length] : undefined
    if (last && next && next.id !== last)
      this.ports.network.send(last, 'blocks', encodeSyncMessage({ kind: 'follow', on: false }))
    if (next) this.follow(next.id)
  }

  /** Pushes a block to those who follow at once; the others, who decide for themselves, hear of the newest head now and then. */
  private announce(certified: CertifiedBlock): void {
    if (this.followers.size > 0) {
      const pushed = encodeSyncMessage({ kind: 'block', certified })
      for (const follower of this.followers) this.ports.network.send(follower, 'blocks', pushed)
    }
    this.cancelHead ??= this.ports.clock.schedule(headIntervalMs, () => {
      this.cancelHead = null
      this.sendHead(this.ports.network.peers().filter(peer => !this.followers.has(peer.id)))
    })
  }

  private sendHead(peers: readonly Peer[]): void {
    this.lastHeadMs = this.ports.clock.nowMs()
    const certificate = this.ports.chain.certificateAt(this.ports.chain.height())
    if (!certificate) return
    const head = encodeSyncMessage({ kind: 'head', certificate })
    for (const peer of peers) this.ports.network.send(peer.id, 'blocks', head)
  }

  private receive(from: Peer, bytes: Uint8Array): void {
    try {
      const message = decodeSyncMessage(bytes)
      if (message.kind === 'follow') {
        if (message.on) this.followers.add(from.id)
        else this.followers.delete(from.id)
      } else if (message.kind === 'head') this.learnHead(from.id, message.certificate)
      else this.takePushed(from.id, message.certified)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      // It may be of a version that this node cannot read.
      if (this.ports.chain.versionHalt()) return
      this.punish(from.id, { reason: 'malformed sync message', detail: error.message })
    }
  }

  /**
   * Believes a head only when its certificate verifies; that is checked only when it is above what is known: who claims less and
   * has it not gains nothing, and who repeats what others proved costs nothing.
   */
  private learnHead(from: PeerId, certificate: QuorumCertificate): void {
    const { height } = certificate
    this.forks.compare(from, certificate)
    if (height <= (this.heads.get(from) ?? 0)) return
    const isAboveOwn = height > this.ports.chain.height() + 1 || this.config.role === 'full'
    if (isAboveOwn && height > this.bestKnownHeight()) {
      const set = this.ports.sets.setAt(height)
      // Its set may come into force on the way there: what is next shows it.
      if (certificate.setId > set.setId && height > this.ports.chain.height() + 1)
        return this.raiseHead(from, this.ports.chain.height() + 1)
      const verified = verifyCertificate({ certificate, set, domain: this.config.domain })
      if (!verified.ok)
        return this.punish(from, { reason: 'forged certificate', detail: `head ${height}: ${verified.error}` })
    }
    this.heads.set(from, height)
    this.sources.heardFrom(from)
  }

  private report(message: string, error: unknown): void {
    if (error instanceof InvariantError) this.ports.fail(error)
    else this.ports.logger.error(message, { error })
  }

  private raiseHead(peer: PeerId, height: Height): void {
    this.heads.set(peer, Math.max(this.heads.get(peer) ?? 0, height))
  }

  private takePushed(from: PeerId, certified: EncodedCertifiedBlock): void {
    const height = certified.block.header.number
    const next = this.ports.chain.height() + 1
    if (height < next || height >= next + maxAhead || this.ports.chain.versionHalt()) {
      if (height >= next) this.learnHead(from, certified.certificate)
      else this.forks.compare(from, certified.certificate)
      return
    }
    // What waits for a gap to be filled takes room: only what a quorum signed may.
    const entries = this.ahead.get(height) ?? []
    if (height > next) {
      if (entries.length > 0 || !this.isProved(from, certified)) return
      this.raiseHead(from, height)
    } else if (entries.length >= maxPushedNext || entries.some(entry => entry.from === from)) return
    this.ahead.set(height, [...entries, { certified, from }])
    this.sources.heardFrom(from)
    this.importAhead()
  }

  private isProved(from: PeerId, { block, certificate }: EncodedCertifiedBlock): boolean {
    const { sets } = this.ports
    const isItsOwn = certificate.height === block.header.number && certificate.blockHash === block.hash
    const set = sets.setAt(certificate.height)
    if (certificate.setId > set.setId) return false
    const verified = verifyCertificate({ certificate, set, domain: this.config.domain })
    if (isItsOwn && verified.ok) return true
    const detail = `block ${block.header.number}: ${verified.ok ? 'the certificate is of another block' : verified.error}`
    this.punish(from, { reason: 'forged certificate', detail })
    return false
  }

  private importAhead(): void {
    if (this.importing || this.catchingUp) return
    this.importing = this.importPushed()
      .catch(error => this.report('importing a pushed block failed', error))
      .finally(() => {
        this.importing = null
      })
  }

  private async importPushed(): Promise<void> {
    this.isHeldUp = false
    while (!this.isHeldUp && !this.stopping.signal.aborted) {
      const entry = this.ahead.get(this.ports.chain.height() + 1)?.shift()
      if (!entry) break
      if (await this.importFrom(entry.from, entry.certified)) this.sources.note(entry.from, 'delivers')
    }
    for (const height of this.ahead.keys()) if (height <= this.ports.chain.height()) this.ahead.delete(height)
  }

  /** Whether the block is now part of the chain. */
  private async importFrom(from: PeerId, certified: EncodedCertifiedBlock): Promise<boolean> {
    const verdict = await this.ports.chain.import(certified)
    if (verdict.ok) {
      this.imported.inc()
      this.raiseHead(from, certified.block.header.number)
      return true
    }
    if (verdict.error.reason === 'not-next') return certified.block.header.number <= this.ports.chain.height()
    this.refused.inc()
    const { reason, detail } = verdict.error
    const { number: height } = certified.block.header
    if (reason === 'l1-behind') {
      this.holdUp(from, height)
      this.ports.logger.info('a block waits for this node to see its L1 messages', { height })
      return false
    }
    // A sequencer that dropped its peers over what its L1 endpoint says would lose its vote too; a full node asks another one.
    if (reason === 'l1-disagrees' && this.config.role === 'sequencer') {
      this.holdUp(from, height)
      this.ports.logger.error('a quorum signed deposits that are others in this view of L1', { height, detail })
      return false
    }
    if (reason === 'other-version') {
      this.holdUp(from, height)
      this.ports.logger.error('a quorum decided a height by another protocol version than this node', {
        height,
        detail,
      })
      return false
    }
    this.punish(from, verdict.error)
    return false
  }

  /** A quorum signed the block: nothing is wrong with who brought it, and nobody else could help. */
  private holdUp(from: PeerId, height: Height): void {
    this.raiseHead(from, height)
    this.sources.note(from, 'delivers')
    this.isHeldUp = true
  }

  private check(): void {
    this.cancelCheck = this.ports.clock.schedule(checkMs / 2, () => {
      const { clock, network } = this.ports
      if (clock.nowMs() - this.lastHeadMs >= headRepeatMs) this.sendHead(network.peers())
      this.checkBehind()
      this.check()
    })
  }

  private checkBehind(): void {
    const { clock, chain } = this.ports
    const best = this.bestKnownHeight()
    if (best <= chain.height()) {
      this.behindSinceMs = null
      return
    }
    if (chain.versionHalt()) return
    this.behindSinceMs ??= clock.nowMs()
    const patience = this.config.role === 'full' ? checkMs : graceMs
    if (this.catchingUp || this.importing || clock.nowMs() - this.behindSinceMs < patience) return
    if (this.config.role === 'full') this.changeProvider()
    this.catchingUp = this.catchUp()
      .catch(error => this.report('catching up failed', error))
      .finally(() => {
        this.catchingUp = null
        this.behindSinceMs = null
        this.importAhead()
      })
  }

  private async catchUp(): Promise<void> {
    const { chain, logger } = this.ports
    const from = chain.height()
    this.isHeldUp = false
    for (const [peer, height] of this.sources.inTurn(this.byPromise())) {
      await this.catchUpFrom(peer, height)
      if (this.isHeldUp) break
      if (chain.height() < height) this.sources.note(peer, 'fails')
    }
    if (chain.height() > from) logger.info('caught up with the network', { from, to: chain.height() })
    else await pause(this.ports.clock, checkMs, this.stopping.signal)
  }

  /**
   * Imports what the peer has beyond this node, until an answer brings nothing: others decide on meanwhile, and who asked
   * only for what was known before would stay behind by as much. Below the known height the next range is on its way while
   * one is imported. A slow peer is left after one answer.
   */
  private async catchUpFrom(peer: PeerId, height: Height): Promise<void> {
    const { chain } = this.ports
    if (chain.height() >= height) return
    let range: Promise<BlockRange> | null = null
    while (!this.stopping.signal.aborted && !chain.versionHalt()) {
      const answer: BlockRange = await (range ?? this.sources.fetch(peer, { from: chain.height() + 1, upTo: height }))
      const { blocks, isSlow } = answer
      const last: Height = blocks.at(-1)?.block.header.number ?? 0
      if (last <= chain.height()) return
      range = last < height && !isSlow ? this.sources.fetch(peer, { from: last + 1, upTo: height }) : null
      if (!(await this.importAll(peer, blocks))) return
      this.sources.note(peer, isSlow ? 'fails' : 'delivers')
      if (isSlow) return
    }
  }

  /** Peers to ask and their heads, those that failed last: a sequencer's fellows, who delivered before, strangers; of equals the highest. */
  private byPromise(): [PeerId, Height][] {
    const isFellow = (peer: Peer) => this.config.role === 'sequencer' && this.isMember(peer)
    const members = this.ports.network.peers().filter(isFellow)
    const first = new Set(members.map(({ id }) => id))
    const rank = (peer: PeerId) => {
      const standing = this.sources.standing(peer)
      if (standing === 'fails') return 3
      return first.has(peer) ? 0 : standing === 'delivers' ? 1 : 2
    }
    return [...this.heads].sort(([a, heightOfA], [b, heightOfB]) => rank(a) - rank(b) || heightOfB - heightOfA)
  }

  private isMember({ consensusKey }: Peer): boolean {
    const set = this.ports.sets.setAt(this.ports.chain.height() + 1)
    return consensusKey !== null && memberByKey(set, consensusKey) !== undefined
  }

  private async importAll(peer: PeerId, blocks: readonly EncodedCertifiedBlock[]): Promise<boolean> {
    for (const [i, certified] of blocks.entries()) {
      if (this.stopping.signal.aborted) return false
      if (certified.block.header.number <= this.ports.chain.height()) continue
      if (i % provedTogether === 0) await this.ports.chain.prove(blocks.slice(i, i + provedTogether))
      if (!(await this.importFrom(peer, certified))) return false
    }
    return true
  }

  private async serve(peer: Peer, body: Uint8Array): Promise<Uint8Array> {
    const { from, count } = decodeBlockRangeRequest(body)
    const isPaced = !this.isMember(peer)
    if (isPaced) await this.served.untilDue(peer.id, this.stopping.signal)
    const blocks: Uint8Array[] = []
    let bytes = 0
    for (let height = Math.max(1, from); height < from + count && height <= this.ports.chain.height(); height++) {
      const certified = await this.ports.chain.certifiedBlockAt(height)
      if (!certified) break
      const encoded = encodeCertifiedBlock(certified)
      if (blocks.length > 0 && bytes + encoded.length > blockRangeBytes) break
      blocks.push(encoded)
      bytes += encoded.length
    }
    if (isPaced) this.served.served(peer.id, blocks.length)
    return encodeBlockRange(blocks)
  }

  private punish(peer: PeerId, { reason, detail }: { reason: string; detail: string }): void {
    this.ports.logger.warn('peer sent a block that is refused', { peer, reason, detail })
    this.heads.delete(peer)
    this.ports.network.drop(peer, { reason, detail })
  }
}
