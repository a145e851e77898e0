import { afterEach, expect, test } from 'vitest'
import { aggregateSignatures, BlsSecretKey, parseBlsPublicKey } from '../../base/crypto/bls.js'
import { keccak256Hex } from '../../base/crypto/keccak.js'
import { bytesToHex, type Hex } from '../../base/primitives/bytes.js'
import { zeroHash } from '../../base/primitives/hashes.js'
import { attestationDigest } from '../../base/protocol/batch-attestation.js'
import {
  type BatchHeader,
  batchHash,
  batchVersion,
  genesisBatchHeader,
  hashOfBlobHashes,
} from '../../base/protocol/batch-header.js'
import { makeSequencerSet, type SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { BlobSidecar, L1Submitter } from '../../io/l1/l1-client.js'
import { MemoryL1 } from '../../io/l1/memory-l1.js'
import { MemoryStore } from '../../io/storage/memory-store.js'
import { silentLogger } from '../../io/telemetry/logger.js'
import { silentMetrics } from '../../io/telemetry/metrics.js'
import { VirtualClock } from '../../io/time/virtual-clock.js'
import { createL1Follower, type L1Follower } from '../l1-follower/l1-follower.js'
import { placeInLine, stepsBefore } from './submission-turn.js'
import { createSubmitter, type SubmittableBatch, type Submitter } from './submitter.js'

const parameters = { submitterTurnSec: 20, challengeWindowSec: 30, forcedInclusionWindowSec: 60 }
const domain = { l1ChainId: 1, rollup: `0x${'aa'.repeat(20)}` as Hex }
const keys = [1, 2, 3, 4].map(i => BlsSecretKey.fromSeed(new Uint8Array(32).fill(i)))
const accountOf = (i: number): Hex => bytesToHex(new Uint8Array(20).fill(i + 1))
const setOf = (
  members: readonly BlsSecretKey[],
  power: (i: number) => bigint = () => 1n,
  submitter: (i: number) => Hex = accountOf,
) =>
  makeSequencerSet(
    1,
    members.map((key, i) => ({
      operator: accountOf(100 + i),
      submitter: submitter(i),
      feeRecipient: accountOf(i),
      publicKey: parseBlsPublicKey(key.publicKey())!,
      power: power(i),
    })),
  )
const set = setOf(keys)
/** The members in their places for a batch. */
const lineOf = (batchIndex: number) => {
  const place = (member: number) => placeInLine({ set, batchIndex, member })
  return [0, 1, 2, 3].sort((a, b) => place(a) - place(b))
}
const genesis = genesisBatchHeader({ blockHash: zeroHash, stateRoot: zeroHash })
const sidecar: BlobSidecar = {
  blob: new Uint8Array(131_072),
  commitment: new Uint8Array(48),
  versionedHash: keccak256Hex(Uint8Array.of(1)),
  cellProofs: [],
}

/** Certified batches as a batcher keeps them. */
class Batches {
  constructor(private readonly absent = 8n) {}
  readonly made: SubmittableBatch[] = [{ header: genesis, batchHash: batchHash(genesis), certificate: null }]
  private readonly handlers: (() => void)[] = []
  sidecarsMade = 0

  certify(timestamp: number, change: Partial<BatchHeader> = {}): void {
    const parent = this.made.at(-1)!.header
    const header: BatchHeader = {
      version: batchVersion,
      batchIndex: parent.batchIndex + 1,
      parentBatchHash: batchHash(parent),
      setId: 1,
      firstBlock: parent.lastBlock + 1,
      lastBlock: parent.lastBlock + 5,
      lastBlockHash: zeroHash,
      postStateRoot: zeroHash,
      withdrawalRoot: zeroHash,
      messagesConsumed: 0,
      messagesRollingHash: zeroHash,
      timestamp,
      blobHashesHash: hashOfBlobHashes([sidecar.versionedHash]),
      ...change,
    }
    const digest = attestationDigest(domain, { batchIndex: header.batchIndex, batchHash: batchHash(header) })
    const signature = aggregateSignatures(keys.slice(0, 3).map(key => key.sign(digest)))
    this.made.push({ header, batchHash: batchHash(header), certificate: { absent: this.absent, signature } })
    for (const handler of this.handlers) handler()
  }

  get listeners(): number {
    return this.handlers.length
  }

  batch = async (index: number) => this.made[index] ?? null
  sidecars = async () => {
    this.sidecarsMade++
    return [sidecar]
  }
  onCertified = (handler: () => void) => {
    this.handlers.push(handler)
    return () => void this.handlers.splice(this.handlers.indexOf(handler), 1)
  }
}

const open: AsyncDisposable[] = []
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]()
})

interface Member {
  readonly submitter: Submitter
  readonly follower: L1Follower
  readonly commits: number[]
}

class Scene {
  readonly parameters: typeof parameters
  readonly l1: MemoryL1
  readonly clock = new VirtualClock()
  readonly batches: Batches
  readonly set: SequencerSet
  private readonly members: readonly BlsSecretKey[]
  private readonly blockSec: number

  /** The first four of the members have all power but a little. */
  constructor(
    overrides: Partial<typeof parameters> = {},
    {
      members = keys,
      submitter = accountOf,
      blockSec = 1,
    }: { members?: readonly BlsSecretKey[]; submitter?: (member: number) => Hex; blockSec?: number } = {},
  ) {
    this.members = members
    this.parameters = { ...parameters, ...overrides }
    this.blockSec = blockSec
    this.set = setOf(members, i => (i < 4 ? 1_000n : 1n), submitter)
    this.batches = new Batches(BigInt(2 ** members.length - 2 ** 3))
    const times = { startSec: 1_000, blockSec, finalityDepth: 3 }
    this.l1 = new MemoryL1({ ...this.parameters, ...times, domain, sets: [this.set], genesis })
  }

  start(member: number, batches = this.batches): Member {
    const ports = { clock: this.clock, logger: silentLogger, metrics: silentMetrics }
    const follower = createL1Follower({
      config: { parameters: { l1Confirmations: 1 }, startBlock: 0, pollMs: 250 * this.blockSec },
      ports: { ...ports, reader: this.l1.reader(), store: new MemoryStore() },
    })
    const inner = this.l1.submitter(accountOf(member))
    const commits: number[] = []
    const l1: L1Submitter = {
      ...inner,
      commitBatch: (args, signal) => {
        commits.push(args.header.batchIndex)
        return inner.commitBatch(args, signal)
      },
    }
    const submitter = createSubmitter({
      config: {
        parameters: this.parameters,
        consensusKey: this.members[member]!.publicKey(),
        staggerSec: this.blockSec === 1 ? 5 : 2 * this.blockSec,
      },
      ports: { ...ports, batches, l1, follower, sets: { set: id => (id === 1 ? this.set : undefined) } },
    })
    open.push(follower, submitter)
    return { submitter, follower, commits }
  }

  /** Lets seconds pass, with an L1 block each. */
  async seconds(count: number): Promise<void> {
    await this.blocks(count)
    await this.clock.advance(500)
  }

  /** Lets L1 make blocks at its pace. */
  async blocks(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      await this.clock.advance(this.blockSec * 1_000)
      this.l1.mine()
    }
  }

  state() {
    const reader = this.l1.reader()
    return Promise.all([reader.lastCommittedBatch(), reader.lastFinalizedBatch()])
  }
}

test('the turn-holder posts a certified batch at once and makes it final after the window', async () => {
  const scene = new Scene()
  const holder = scene.start(1)
  await scene.seconds(1)
  scene.batches.certify(1_000)
  await scene.seconds(2)
  expect(await scene.state()).toEqual([1, 0])
  await scene.seconds(parameters.challengeWindowSec + 2)
  expect(await scene.state()).toEqual([1, 1])
  expect(holder.commits).toEqual([1])
  expect(holder.submitter.status()).toEqual({ sending: false, alarm: null, lastError: null })
})

test('four submitters post ten batches, each once, each its own', async () => {
  const scene = new Scene()
  const members = [0, 1, 2, 3].map(member => scene.start(member))
  for (let i = 0; i < 10; i++) {
    scene.batches.certify(1_000)
    await scene.seconds(3)
  }
  expect((await scene.state())[0]).toBe(10)
  expect(members.map(({ commits }) => commits)).toEqual([
    [4, 8],
    [1, 5, 9],
    [2, 6, 10],
    [3, 7],
  ])
  await scene.seconds(40)
  expect((await scene.state())[1]).toBe(10)
})

test('a missed turn passes to the next in line, and only to that one', async () => {
  const scene = new Scene()
  const [next, third] = lineOf(1)
    .slice(1)
    .map(member => scene.start(member))
  scene.batches.certify(1_000)
  await scene.seconds(18)
  expect((await scene.state())[0]).toBe(0)
  await scene.seconds(6)
  expect((await scene.state())[0]).toBe(1)
  await scene.seconds(10)
  expect([next!.commits, third!.commits]).toEqual([[1], []])
})

test('a batch that is late already is posted by another after a fifth of a turn', async () => {
  const scene = new Scene()
  for (const member of [0, 1, 2]) scene.start(member)
  await scene.seconds(30)
  for (let i = 0; i < 3; i++) scene.batches.certify(1_000)
  await scene.seconds(5)
  expect((await scene.state())[0]).toBe(2)
  await scene.seconds(5)
  expect((await scene.state())[0]).toBe(3)
})

test('when the next in line is dead as well, the one after it posts five seconds later', async () => {
  const scene = new Scene()
  const third = scene.start(lineOf(1)[2]!)
  scene.batches.certify(1_000)
  await scene.seconds(23)
  expect(third.commits).toEqual([])
  await scene.seconds(5)
  expect((await scene.state())[0]).toBe(1)
  await scene.seconds(parameters.challengeWindowSec + 2)
  expect((await scene.state())[1]).toBe(0)
  await scene.seconds(11)
  expect((await scene.state())[1]).toBe(1)
})

test('an account that other members named as theirs posts in its own turn, and after theirs as any other', async () => {
  const scene = new Scene({}, { submitter: () => accountOf(0) })
  const named = scene.start(0)
  for (let i = 0; i < 4; i++) scene.batches.certify(1_000)
  await scene.seconds(18)
  expect(named.commits).toEqual([])
  await scene.seconds(60)
  expect((await scene.state())[0]).toBe(4)
  scene.batches.certify(scene.l1.head.timestamp)
  await scene.seconds(18)
  expect(named.commits).toEqual([1, 2, 3, 4])
})

test('an account that is not the one that its member named takes no turn', async () => {
  const scene = new Scene({}, { submitter: member => accountOf(50 + member) })
  const { submitter, commits } = scene.start(1)
  scene.batches.certify(1_000)
  await scene.seconds(18)
  expect([commits, submitter.status().lastError]).toEqual([[], null])
  await scene.seconds(20)
  expect(commits).toEqual([1])
})

test('batches keep up although twelve of 16 seats let every turn pass', async () => {
  const members = Array.from({ length: 16 }, (_, i) => BlsSecretKey.fromSeed(new Uint8Array(32).fill(i + 1)))
  const scene = new Scene({ submitterTurnSec: 120, challengeWindowSec: 1_000_000 }, { members, blockSec: 12 })
  const live = [0, 1, 2, 3].map(member => scene.start(member))
  const lags: number[] = []
  for (let minute = 0; minute < 150; minute++) {
    scene.batches.certify(scene.l1.head.timestamp)
    await scene.blocks(5)
    const committed = scene.batches.made[(await scene.state())[0] + 1]
    lags.push(committed ? scene.l1.head.timestamp - committed.header.timestamp : 0)
  }
  expect(Math.max(...lags)).toBeLessThan(400)
  // Of those who wait for as long as another, both post, and one is too late.
  const sent = live.flatMap(({ commits }) => commits).length
  expect(sent).toBeLessThan(1.5 * (await scene.state())[0])
})

test('several batches become final in one transaction', async () => {
  const scene = new Scene()
  for (let i = 0; i < 3; i++) scene.batches.certify(1_000)
  const members = [1, 2, 3].map(member => scene.start(member))
  await scene.seconds(8)
  expect(await scene.state()).toEqual([3, 0])
  await members[0]!.submitter[Symbol.asyncDispose]()
  await members[1]!.submitter[Symbol.asyncDispose]()
  await scene.seconds(parameters.challengeWindowSec + 12)
  expect(await scene.state()).toEqual([3, 3])
  const { number } = scene.l1.head
  const events = await scene.l1.reader().events({ from: 1, to: number })
  const finalized = events.filter(event => event.type === 'batch-finalized')
  expect(new Set(finalized.map(event => event.l1BlockNumber)).size).toBe(1)
})

test('a backlog becomes final in parts that one transaction takes', async () => {
  const scene = new Scene({ challengeWindowSec: 1_000 })
  for (let i = 0; i < 300; i++) scene.batches.certify(1_000)
  const members = [0, 1, 2, 3].map(member => scene.start(member))
  await scene.seconds(650)
  expect(await scene.state()).toEqual([300, 0])
  for (const { submitter } of members) await submitter[Symbol.asyncDispose]()
  await scene.seconds(1_100)
  scene.start(1)
  await scene.seconds(30)
  expect(await scene.state()).toEqual([300, 300])
  const events = await scene.l1.reader().events({ from: 1, to: scene.l1.head.number })
  const blocks = events.flatMap(event => (event.type === 'batch-finalized' ? [event.l1BlockNumber] : []))
  const sizes = [...new Set(blocks)].map(block => blocks.filter(other => other === block).length)
  expect(Math.max(...sizes)).toBe(256)
})

test('a batch that leaves out an overdue deposit is posted when its wait is over, without an alarm', async () => {
  const scene = new Scene()
  const holder = scene.start(1)
  scene.l1.deposit({ sender: accountOf(7), to: accountOf(7), amount: 10n ** 9n })
  await scene.seconds(1)
  const window = parameters.forcedInclusionWindowSec
  scene.batches.certify(scene.l1.head.timestamp + window + 1)
  await scene.seconds(window)
  expect(await scene.state()).toEqual([0, 0])
  expect(holder.submitter.status()).toMatchObject({ alarm: null, lastError: expect.stringMatching('ForcedInclusion') })
  await scene.seconds(2 * window)
  expect((await scene.state())[0]).toBe(1)
  expect(holder.submitter.status()).toMatchObject({ alarm: null, lastError: null })
})

test('stopped while its transaction waits, and started again: no batch is lost or posted twice', async () => {
  const scene = new Scene()
  scene.batches.certify(1_000)
  const before = scene.start(1)
  await scene.clock.advance(2_000)
  expect(before.submitter.status().sending).toBe(true)
  await before.submitter[Symbol.asyncDispose]()
  expect(scene.batches.listeners).toBe(0)
  scene.l1.mine()
  const after = scene.start(1)
  await scene.seconds(5)
  expect((await scene.state())[0]).toBe(1)
  expect([before.commits, after.commits]).toEqual([[1], []])
})

test('an L1 that fails is tried again without loss', async () => {
  const scene = new Scene()
  const holder = scene.start(1)
  await scene.seconds(1)
  scene.batches.certify(1_000)
  scene.l1.failNext(6)
  await scene.seconds(20)
  expect((await scene.state())[0]).toBe(1)
  expect(holder.commits).toEqual([1])
})

test('a batch that L1 drops in a reorg is posted again', async () => {
  const scene = new Scene()
  const holder = scene.start(1)
  scene.batches.certify(1_000)
  await scene.seconds(3)
  expect((await scene.state())[0]).toBe(1)
  scene.l1.reorg({ depth: scene.l1.head.number })
  scene.l1.mine()
  expect((await scene.state())[0]).toBe(0)
  await scene.seconds(3)
  expect((await scene.state())[0]).toBe(1)
  expect(holder.commits).toEqual([1, 1])
})

test('a refusal that stays raises an alarm and is tried ever more seldom; it ends when L1 has the batch', async () => {
  const scene = new Scene()
  const bad = new Batches()
  bad.certify(1_000, { blobHashesHash: zeroHash })
  const holder = scene.start(1, bad)
  await scene.seconds(60)
  expect(holder.commits).toEqual([])
  expect(holder.submitter.status().alarm).toMatchObject({ batchIndex: 1, errorName: 'BlobHashMismatch' })
  expect(bad.sidecarsMade).toBe(1)
  bad.made.length = 1
  bad.certify(1_000)
  await scene.seconds(70)
  expect(holder.commits).toEqual([1])
  expect(holder.submitter.status().alarm).toBeNull()
})

test('another batch on L1 than ours raises an alarm', async () => {
  const scene = new Scene()
  const theirs = new Batches()
  theirs.certify(1_000, { postStateRoot: keccak256Hex(Uint8Array.of(9)) })
  scene.start(1, theirs)
  await scene.seconds(3)
  expect((await scene.state())[0]).toBe(1)
  scene.batches.certify(1_000)
  const other = scene.start(2)
  await scene.seconds(3)
  expect(other.submitter.status().alarm).toMatchObject({ batchIndex: 1, errorName: 'DifferentBatchOnL1' })
  scene.batches.certify(1_000)
  await scene.seconds(10)
  expect(other.submitter.status().alarm).toMatchObject({ batchIndex: 2, errorName: 'WrongParent' })
  expect(other.commits).toEqual([])
})

test('the line begins with the turn-holder, and has another order for each batch', () => {
  expect([5, 6, 7, 8].map(batch => lineOf(batch))).toEqual([
    [1, 2, 0, 3],
    [2, 0, 3, 1],
    [3, 1, 2, 0],
    [0, 1, 3, 2],
  ])
})

test('places wait in steps that hold ever more of them', () => {
  expect([0, 1, 2, 3, 4, 9, 10, 27, 28, 81, 82].map(stepsBefore)).toEqual([0, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6])
})
