import { beforeEach, describe, expect, it } from 'vitest'
import { InvariantError } from '../../base/primitives/invariant.js'
import { ok, type Result, refuse } from '../../base/primitives/result.js'
import type { CertifiedBlock, EncodedCertifiedBlock } from '../../base/protocol/block.js'
import { encodeCertifiedBlock } from '../../base/protocol/block.js'
import { verifyCertificate } from '../../base/protocol/quorum-certificate.js'
import {
  decodeBlockRange,
  decodeBlockRangeRequest,
  encodeBlockRange,
  encodeBlockRangeRequest,
  encodeSyncMessage,
} from '../../base/protocol/sync-message.js'
import { MemoryHub, type MemoryNetwork, type Passage } from '../../io/network/memory-network.js'
import { silentLogger } from '../../io/telemetry/logger.js'
import { silentMetrics } from '../../io/telemetry/metrics.js'
import { pause } from '../../io/time/clock.js'
import { VirtualClock } from '../../io/time/virtual-clock.js'
import { asParent, certified, childOf, domain, genesis, keys, set } from '../../rules/blocks/blocks.fixture.js'
import { Syncer } from './syncer.js'

/** The chain that the honest decide. */
const canonical: CertifiedBlock[] = []
for (let parent = genesis; canonical.length < 300; parent = asParent(canonical.at(-1)!.block))
  canonical.push(certified(childOf(parent)))
const blockOf = (height: number) => canonical[height - 1]!

let clock: VirtualClock
let hub: MemoryHub
let loses: (passage: Passage) => boolean
let passages: Passage[]

beforeEach(() => {
  clock = new VirtualClock(1_000)
  loses = () => false
  passages = []
  hub = new MemoryHub({
    clock,
    loses: passage => {
      passages.push(passage)
      return loses(passage)
    },
    requestTimeoutMs: 5_000,
  })
})

/** Tells the node `f` of a head that a quorum signed. */
const tellHead = (network: MemoryNetwork, height: number) =>
  network.send('f', 'blocks', encodeSyncMessage({ kind: 'head', certificate: blockOf(height).certificate }))

/** Peers that never answer when they are asked for blocks. */
const silentPeers = (count: number) =>
  Array.from({ length: count }, (_, i) => {
    const network = hub.join({ id: `silent ${i}` })
    network.onRequest('block-range', () => new Promise(() => {}))
    return network
  })

/** A node of which only the syncer is real: its chain is a list that checks certificates and links. */
class Node {
  readonly blocks: CertifiedBlock[] = []
  readonly drops: { peer: string; reason: string }[] = []
  /** Heights whose set was asked for: of a certificate that is checked, it is. */
  readonly checked: number[] = []
  readonly syncer: Syncer
  /** How this node's own view of L1 keeps it from taking blocks. */
  l1Refusal: 'l1-behind' | 'l1-disagrees' | null = null
  whenImported: () => void = () => {}
  /** A height that was decided by another protocol version than it has. */
  otherVersionAt: number | null = null
  halt: object | null = null
  /** What the next import fails with. */
  failure: Error | null = null
  readonly errors: string[] = []
  /** What the node stopped for. */
  readonly failures: string[] = []
  private readonly listeners: ((committed: CertifiedBlock) => void)[] = []

  constructor(
    readonly network: MemoryNetwork,
    role: 'full' | 'sequencer',
    height = 0,
  ) {
    this.blocks = canonical.slice(0, height)
    const drop = network.drop.bind(network)
    network.drop = (peer, misbehaviour) => {
      this.drops.push({ peer, reason: misbehaviour.reason })
      drop(peer, misbehaviour)
    }
    this.syncer = new Syncer(
      { domain, role },
      {
        chain: {
          height: () => this.height,
          certificateAt: at => this.blocks[at - 1]?.certificate ?? null,
          certifiedBlockAt: async at => this.blocks[at - 1] ?? null,
          prove: async () => {},
          import: async block => this.import(block),
          onCommitted: listener => this.listeners.push(listener),
          isForged: async certificate => {
            if (!verifyCertificate({ certificate, set, domain }).ok) return true
            throw new InvariantError('agreement broke')
          },
          versionHalt: () => this.halt,
        },
        network,
        sets: {
          setAt: at => {
            this.checked.push(at)
            return set
          },
        },
        clock,
        logger: { ...silentLogger, error: message => this.errors.push(message) },
        metrics: silentMetrics,
        fail: error => this.failures.push(error.message),
      },
    )
  }

  get height(): number {
    return this.blocks.length
  }

  /** As consensus does. */
  decideUpTo(height: number): void {
    while (this.height < height) this.append(blockOf(this.height + 1))
  }

  private import(one: EncodedCertifiedBlock): Result<void, { reason: string; detail: string }> {
    const { block, certificate } = one
    if (this.failure) {
      const { failure } = this
      this.failure = null
      throw failure
    }
    if (block.header.number !== this.height + 1) return refuse({ reason: 'not-next', detail: '' })
    if (!verifyCertificate({ certificate, set, domain }).ok || certificate.blockHash !== block.hash)
      return refuse({ reason: 'forged-certificate', detail: '' })
    if (block.hash !== blockOf(block.header.number).block.hash)
      return refuse({ reason: 'invalid-execution', detail: '' })
    if (block.header.number === this.otherVersionAt) {
      this.halt = {}
      return refuse({ reason: 'other-version', detail: '' })
    }
    if (this.l1Refusal) return refuse({ reason: this.l1Refusal, detail: '' })
    this.append(blockOf(block.header.number))
    this.whenImported()
    return ok(undefined)
  }

  private append(one: CertifiedBlock): void {
    this.blocks.push(one)
    for (const listener of this.listeners) listener(one)
  }
}

const join = (id: string, role: 'full' | 'sequencer', height = 0) => new Node(hub.join({ id }), role, height)
const requests = () => passages.filter(({ channel }) => channel === 'block-range')
const onlyPush = ({ channel, bytes }: Passage) => channel === 'blocks' && bytes > 500

describe('a node whose messages were lost', () => {
  it.each(['sequencer', 'full'] as const)('tells its head again, and a %s that missed it catches up', async role => {
    const ahead = join('a', 'sequencer')
    const behind = join('b', role)
    await clock.advance(10)
    loses = ({ channel }) => channel === 'blocks'
    ahead.decideUpTo(3)
    await clock.advance(900)
    loses = () => false
    await clock.advance(2_000)
    expect(behind.height).toBe(3)
  })
})

describe('a sequencer that is behind', () => {
  it('is level at once, though others decide on while it imports', async () => {
    const ahead = join('a', 'sequencer', 5)
    const behind = join('b', 'sequencer')
    let more = 3
    behind.whenImported = () => {
      if (more-- > 0) ahead.decideUpTo(ahead.height + 1)
    }
    while (behind.height < 5) await clock.advance(1)
    await clock.advance(1)
    expect([ahead.height, behind.height]).toEqual([8, 8])
  })
})

describe('a full node', () => {
  it('gets every new block from one provider, without asking', async () => {
    const provider = join('a', 'sequencer')
    const other = join('b', 'sequencer')
    const full = join('f', 'full')
    await clock.advance(10)
    for (let height = 1; height <= 5; height++) {
      for (const node of [provider, other]) node.decideUpTo(height)
      await clock.advance(100)
      expect(full.height).toBe(height)
    }
    expect(requests()).toEqual([])
    expect(passages.filter(passage => passage.to === 'f' && onlyPush(passage))).toHaveLength(5)
  })

  it('that comes late fetches all that it lacks, in several answers', async () => {
    join('a', 'sequencer', 300)
    const full = join('f', 'full')
    await clock.advance(2_000)
    expect(full.height).toBe(300)
    // Three ranges, and an answer that brings nothing more.
    expect(requests().filter(({ from }) => from === 'f')).toHaveLength(4)
  })

  it('fetches what is missing before a block that was pushed', async () => {
    const provider = join('a', 'sequencer')
    const full = join('f', 'full')
    await clock.advance(10)
    let pushes = 0
    loses = passage => onlyPush(passage) && ++pushes === 2
    for (let height = 1; height <= 5; height++) {
      provider.decideUpTo(height)
      await clock.advance(20)
    }
    expect(full.height).toBe(1)
    await clock.advance(1_000)
    expect(full.height).toBe(5)
  })

  it('takes a pushed block later when its import failed', async () => {
    const provider = join('a', 'sequencer')
    const follower = join('b', 'full')
    await clock.advance(10)
    follower.failure = new Error('the disk is full')
    provider.decideUpTo(1)
    await clock.advance(50)
    expect(follower.height).toBe(0)
    expect(follower.errors).toEqual(['importing a pushed block failed'])
    expect(follower.drops).toEqual([])
    await clock.advance(2_000)
    expect(follower.height).toBe(1)
  })

  it('changes to another provider when the first delivers nothing', async () => {
    const [a, b] = [join('a', 'sequencer'), join('b', 'sequencer')]
    const full = join('f', 'full')
    await clock.advance(10)
    loses = passage => passage.from === 'a' && (onlyPush(passage) || passage.channel === 'block-range')
    for (const node of [a, b]) node.decideUpTo(1)
    await clock.advance(3_000)
    expect(full.height).toBe(1)
    passages.length = 0
    for (const node of [a, b]) node.decideUpTo(2)
    await clock.advance(10)
    expect(full.height).toBe(2)
    expect(requests()).toEqual([])
  })

  it('goes on with another provider when the first leaves', async () => {
    const [a, b] = [join('a', 'sequencer'), join('b', 'sequencer')]
    const full = join('f', 'full')
    await clock.advance(10)
    await a.network.close()
    await clock.advance(10)
    b.decideUpTo(1)
    await clock.advance(10)
    expect(full.height).toBe(1)
  })

  it('asks a peer that does not answer after those that do', async () => {
    const silent = hub.join({ id: 'silent' })
    silent.onRequest('block-range', () => new Promise(() => {}))
    const good = join('z', 'sequencer')
    const full = join('f', 'full')
    await clock.advance(10)
    loses = onlyPush
    tellHead(silent, 50)
    good.decideUpTo(20)
    await clock.advance(2_500)
    expect(full.height).toBe(20)
    good.decideUpTo(21)
    tellHead(good.network, 21)
    passages.length = 0
    await clock.advance(2_500)
    expect(full.height).toBe(21)
    expect(requests()[0]?.to).toBe('z')
    expect(full.drops).toEqual([])
  })

  it('is held up by twenty peers that promise and are silent for no longer than each may take once, a second', async () => {
    const silent = silentPeers(20)
    const good = join('z', 'sequencer')
    const full = join('f', 'full')
    await clock.advance(10)
    loses = onlyPush
    for (const network of silent) tellHead(network, 50)
    good.decideUpTo(20)
    await clock.advance(22_000)
    expect(full.height).toBe(20)

    // They come back as who they are, and others like them come: who delivered is asked first.
    const others = silent.splice(0, 5).flatMap((network, i) => {
      void network.close()
      return [hub.join({ id: network.localPeer }), hub.join({ id: `another ${i}` })]
    })
    for (const network of others) network.onRequest('block-range', () => new Promise(() => {}))
    await clock.advance(10_000)
    good.decideUpTo(40)
    for (const network of others) tellHead(network, 60)
    await clock.advance(2_500)
    expect(full.height).toBe(40)
    expect(full.drops).toEqual([])
  })

  it('holds nobody to have failed while its own view of L1 keeps it from taking blocks: level at once when that is over', async () => {
    const provider = join('a', 'sequencer')
    const full = join('f', 'full')
    await clock.advance(10)
    provider.decideUpTo(20)
    await clock.advance(2_000)
    expect(full.height).toBe(20)
    const silent = silentPeers(10)
    await clock.advance(10)
    full.l1Refusal = 'l1-behind'
    for (const network of silent) tellHead(network, 50)
    provider.decideUpTo(30)
    await clock.advance(20_000)
    full.l1Refusal = null
    await clock.advance(1_500)
    expect(full.height).toBe(30)
    expect(full.drops).toEqual([])
  })

  it('waits for its own view of L1 without blaming anybody', async () => {
    const provider = join('a', 'sequencer')
    const full = join('f', 'full')
    await clock.advance(10)
    full.l1Refusal = 'l1-behind'
    provider.decideUpTo(3)
    await clock.advance(2_000)
    expect(full.height).toBe(0)
    expect(full.syncer.bestKnownHeight()).toBe(3)
    full.l1Refusal = null
    await clock.advance(1_000)
    expect(full.height).toBe(3)
    expect(full.drops).toEqual([])
  })
})

describe('when a quorum signed deposits that its own L1 endpoint tells otherwise', () => {
  it('a sequencer takes no such block and keeps its peers', async () => {
    join('a', 'sequencer', 3)
    const self = join('s', 'sequencer')
    self.l1Refusal = 'l1-disagrees'
    await clock.advance(2_000)
    expect(self.height).toBe(0)
    expect(self.drops).toEqual([])
    self.l1Refusal = null
    await clock.advance(2_000)
    expect(self.height).toBe(3)
  })

  it('a full node takes no such block and leaves the peer for another', async () => {
    join('a', 'sequencer', 3)
    const full = join('f', 'full')
    full.l1Refusal = 'l1-disagrees'
    await clock.advance(2_000)
    expect(full.height).toBe(0)
    expect(full.drops).toContainEqual({ peer: 'a', reason: 'l1-disagrees' })
  })
})

describe('a liar', () => {
  const forgedBlock = (height: number): CertifiedBlock => ({
    block: childOf(height === 1 ? genesis : asParent(blockOf(height - 1).block), { header: { gasUsed: 1 } }),
    certificate: blockOf(height).certificate,
  })
  const signedWrong = (height: number) => certified(forgedBlock(height).block)
  const forgedCertificate = { ...blockOf(200).certificate, signature: keys[0]!.sign(new Uint8Array(32)) }

  it.each([
    ['pushes a block that does not execute', () => encodeSyncMessage({ kind: 'block', certified: signedWrong(1) })],
    [
      'pushes a block under another’s certificate',
      () => encodeSyncMessage({ kind: 'block', certified: forgedBlock(1) }),
    ],
    ['pushes such a block ahead of the next', () => encodeSyncMessage({ kind: 'block', certified: forgedBlock(9) })],
    [
      'proves a head with a forged certificate',
      () => encodeSyncMessage({ kind: 'head', certificate: forgedCertificate }),
    ],
    ['sends garbage', () => new Uint8Array(40).fill(0xff)],
  ])('that %s is dropped, and the others are followed', async (_what, message) => {
    const liar = hub.join({ id: 'liar' })
    const honest = join('z', 'sequencer')
    const full = join('f', 'full')
    await clock.advance(10)
    liar.send('f', 'blocks', message())
    await clock.advance(50)
    expect(full.drops.map(({ peer }) => peer)).toEqual(['liar'])
    expect(full.height).toBe(0)
    honest.decideUpTo(3)
    await clock.advance(1_000)
    expect(full.height).toBe(3)
  })

  it.each([
    ['blocks that do not execute', () => encodeBlockRange([encodeCertifiedBlock(signedWrong(1))])],
    ['garbage', () => new Uint8Array(40).fill(0xff)],
  ])('that answers with %s is dropped, and the others are asked', async (_what, answer) => {
    const liar = hub.join({ id: 'liar' })
    liar.onRequest('block-range', async () => answer())
    const full = join('f', 'full')
    await clock.advance(10)
    liar.send('f', 'blocks', encodeSyncMessage({ kind: 'head', certificate: blockOf(50).certificate }))
    await clock.advance(400)
    expect(full.drops.map(({ peer }) => peer)).toEqual(['liar'])
    join('z', 'sequencer', 3)
    await clock.advance(1_000)
    expect(full.height).toBe(3)
  })

  it('that gives the same blocks again and again is not asked for ever', async () => {
    const liar = hub.join({ id: 'liar' })
    let asked = 0
    liar.onRequest('block-range', async () => {
      // A node that never stops asking would hold the virtual clock up.
      if (++asked > 100) throw new RangeError('asked for ever')
      return encodeBlockRange([1, 2].map(height => encodeCertifiedBlock(blockOf(height))))
    })
    const full = join('f', 'full')
    await clock.advance(10)
    liar.send('f', 'blocks', encodeSyncMessage({ kind: 'head', certificate: blockOf(50).certificate }))
    await clock.advance(2_000)
    expect(full.height).toBe(2)
    expect(asked).toBeLessThan(15)
  })

  it.each([0, 20, 480, 900])('that answers with one block at a time, after %i ms, holds nobody up', async afterMs => {
    const liar = hub.join({ id: 'liar' })
    liar.onRequest('block-range', async (_, body) => {
      const { from } = decodeBlockRangeRequest(body)
      await pause(clock, afterMs)
      return encodeBlockRange([encodeCertifiedBlock(blockOf(from))])
    })
    join('z', 'sequencer', 200)
    const full = join('f', 'full')
    await clock.advance(10)
    liar.send('f', 'blocks', encodeSyncMessage({ kind: 'head', certificate: blockOf(250).certificate }))
    await clock.advance(5_000)
    expect(full.height).toBeGreaterThanOrEqual(200)
    expect(full.drops).toEqual([])
  })

  it('whose block of the next height is false does not push the true one out', async () => {
    const liar = hub.join({ id: 'liar' })
    const honest = join('z', 'sequencer')
    const full = join('f', 'full')
    await clock.advance(10)
    for (const order of [
      [liar, honest.network],
      [honest.network, liar],
    ]) {
      const height = full.height + 1
      for (const from of order) {
        const certified = from === liar ? forgedBlock(height) : blockOf(height)
        from.send('f', 'blocks', encodeSyncMessage({ kind: 'block', certified }))
      }
      await clock.advance(20)
      expect(full.height).toBe(height)
    }
    expect(requests()).toEqual([])
  })

  it('that asks without end is served so many blocks a second, others and members as before', async () => {
    const asker = hub.join({ id: 'asker' })
    const member = hub.join({ id: 'm', consensusKey: keys[0]!.publicKey() })
    join('f', 'full', 300)
    await clock.advance(10)
    const ask = (network: MemoryNetwork) =>
      network.request('f', 'block-range', encodeBlockRangeRequest({ from: 1, count: 128 }))
    let served = 0
    const askOn = async (): Promise<void> => {
      for (;;) {
        const answer = await ask(asker)
        served += decodeBlockRange(answer).length
      }
    }
    for (let i = 0; i < 8; i++) void askOn()
    for (let ms = 0; ms < 5_000; ms += 5) await clock.advance(5)
    expect(served).toBeGreaterThan(2_500)
    expect(served).toBeLessThan(4_500)
    const before = clock.nowMs()
    for (const other of [member, hub.join({ id: 'newcomer' })]) {
      let tookMs = -1
      void ask(other).then(() => {
        tookMs = clock.nowMs() - before
      })
      await clock.advance(20)
      expect(tookMs).toBeGreaterThanOrEqual(0)
    }
  })

  it('that proves a head of a set which is not in force here yet is asked for what is next, and not blamed', async () => {
    const ahead = hub.join({ id: 'later' })
    ahead.onRequest('block-range', async (_, body) => {
      const { from } = decodeBlockRangeRequest(body)
      return encodeBlockRange([encodeCertifiedBlock(blockOf(from))])
    })
    const full = join('f', 'full')
    await clock.advance(10)
    const certificate = { ...blockOf(50).certificate, setId: set.setId + 1 }
    ahead.send('f', 'blocks', encodeSyncMessage({ kind: 'head', certificate }))
    await clock.advance(1_000)
    expect(full.drops).toEqual([])
    expect(full.height).toBeGreaterThanOrEqual(50)
  })

  it('of thirty that promise heads of sets to come and are silent holds nobody up that is pushed blocks', async () => {
    const honest = join('z', 'sequencer', 10)
    const full = join('f', 'full')
    await clock.advance(1_000)
    expect(full.height).toBe(10)
    for (const network of silentPeers(30)) {
      const certificate = { ...blockOf(250).certificate, setId: set.setId + 1 }
      network.send('f', 'blocks', encodeSyncMessage({ kind: 'head', certificate }))
    }
    for (let i = 0; i < 20; i++) {
      honest.decideUpTo(honest.height + 1)
      await clock.advance(500)
    }
    expect(full.height).toBeGreaterThanOrEqual(28)
  })

  it('cannot make a node check what it knows', async () => {
    const liar = hub.join({ id: 'liar' })
    join('z', 'sequencer', 100)
    const full = join('f', 'full', 90)
    await clock.advance(1_000)
    expect(full.height).toBe(100)
    full.checked.length = 0
    for (let height = 1; height <= 100; height++)
      liar.send('f', 'blocks', encodeSyncMessage({ kind: 'head', certificate: blockOf(height).certificate }))
    for (let i = 0; i < 10; i++) liar.send('f', 'blocks', encodeSyncMessage({ kind: 'block', certified: blockOf(110) }))
    await clock.advance(10)
    expect(full.checked).toEqual([110])
    expect(full.drops).toEqual([])
  })

  it('cannot make a node keep blocks that no quorum signed', async () => {
    const liar = hub.join({ id: 'liar' })
    const honest = join('z', 'sequencer')
    const full = join('f', 'full')
    await clock.advance(10)
    liar.send('f', 'blocks', encodeSyncMessage({ kind: 'block', certified: forgedBlock(2) }))
    await clock.advance(10)
    honest.decideUpTo(2)
    await clock.advance(1_000)
    expect(full.drops.map(({ peer }) => peer)).toEqual(['liar'])
    expect(full.height).toBe(2)
  })
})

describe('agreement that broke', () => {
  const otherBlock = (height: number, change = {}) =>
    certified(childOf(asParent(blockOf(height - 1).block), { context: { timestampMs: 10 ** 9 } }), change)

  it.each(['head', 'block'] as const)('stops a node that is told so by a %s below its own head, once', async kind => {
    const [liar, witness] = ['liar', 'witness'].map(id => hub.join({ id }))
    const node = join('f', 'sequencer', 5)
    await clock.advance(10)
    const send = (network: MemoryNetwork, certified: CertifiedBlock) => {
      const { certificate } = certified
      network.send('f', 'blocks', encodeSyncMessage(kind === 'head' ? { kind, certificate } : { kind, certified }))
    }
    send(witness!, blockOf(4))
    send(liar!, otherBlock(4, { signers: keys.slice(1) }))
    await clock.advance(10)
    expect([node.failures, node.drops]).toEqual([[], [{ peer: 'liar', reason: 'forged certificate' }]])
    send(witness!, otherBlock(4))
    await clock.advance(10)
    expect([node.failures, node.drops.length]).toEqual([['agreement broke'], 1])
  })

  it('stops a node that is brought the next block on another parent', async () => {
    const witness = hub.join({ id: 'witness' })
    const node = join('f', 'sequencer', 4)
    node.failure = new InvariantError('agreement broke')
    await clock.advance(10)
    witness.send('f', 'blocks', encodeSyncMessage({ kind: 'block', certified: otherBlock(5) }))
    await clock.advance(10)
    expect([node.failures, node.errors, node.drops]).toEqual([['agreement broke'], [], []])
  })
})

describe('a height of another protocol version', () => {
  it.each(['sequencer', 'full'] as const)('stops a %s, which blames nobody and asks no more', async role => {
    const ahead = join('a', 'sequencer', 20)
    const other = join('z', 'sequencer', 20)
    const old = join('f', role)
    old.otherVersionAt = 11
    await clock.advance(2_000)
    ahead.decideUpTo(21)
    await clock.advance(2_000)
    expect(old.height).toBe(10)
    expect(old.syncer.bestKnownHeight()).toBe(21)
    const asked = requests().length
    ahead.network.send('f', 'blocks', Uint8Array.of(7))
    ahead.decideUpTo(30)
    other.decideUpTo(30)
    await clock.advance(5_000)
    expect(requests().length).toBe(asked)
    expect(old.drops).toEqual([])
    expect(old.syncer.bestKnownHeight()).toBe(30)
    const late = join('l', 'full')
    await clock.advance(1_000)
    expect(late.height).toBe(30)
  })
})

describe('a sequencer', () => {
  it('asks its fellows before others, who may promise more', async () => {
    const other = hub.join({ id: 'a' })
    const asked: string[] = []
    other.onRequest('block-range', async () => {
      asked.push('a')
      throw new RangeError('gives nothing')
    })
    const fellow = new Node(hub.join({ id: 'z', consensusKey: keys[1]!.publicKey() }), 'sequencer', 20)
    fellow.network.onRequest('block-range', async () => {
      asked.push('z')
      return encodeBlockRange(canonical.slice(0, 20).map(encodeCertifiedBlock))
    })
    const behind = join('s', 'sequencer')
    await clock.advance(10)
    other.send('s', 'blocks', encodeSyncMessage({ kind: 'head', certificate: blockOf(50).certificate }))
    await clock.advance(1_000)
    expect(behind.height).toBe(20)
    expect(asked[0]).toBe('z')
  })

  it('lets its own consensus decide, and asks only when that does not', async () => {
    const ahead = join('a', 'sequencer')
    const behind = join('b', 'sequencer')
    await clock.advance(10)
    ahead.decideUpTo(1)
    await clock.advance(90)
    behind.decideUpTo(1)
    await clock.advance(1_000)
    expect(requests()).toEqual([])
    ahead.decideUpTo(2)
    await clock.advance(1_000)
    expect(behind.height).toBe(2)
  })
})

describe('serving', () => {
  const ask = async (from: number, count: number) => {
    const server = join('s', 'sequencer', 200)
    const client = hub.join({ id: 'c' })
    await clock.advance(10)
    const answer = client.request(server.network.localPeer, 'block-range', encodeBlockRangeRequest({ from, count }))
    const outcome = answer
      .then(bytes => decodeBlockRange(bytes).map(({ block }) => block.header.number))
      .catch(() => null)
    await clock.advance(10)
    return outcome
  }

  it('gives what is asked for, as far as there is', async () => {
    expect(await ask(10, 3)).toEqual([10, 11, 12])
  })
  it('gives fewer at the end, and none beyond', async () => {
    expect(await ask(199, 5)).toEqual([199, 200])
  })
  it('begins at the first block', async () => {
    expect(await ask(0, 2)).toEqual([1])
  })
  it('refuses to give more than a range', async () => {
    expect(await ask(1, 129)).toBeNull()
  })
})
