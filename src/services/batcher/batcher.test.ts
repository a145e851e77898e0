import { createHash } from 'node:crypto'
import { describe, expect, it, onTestFinished } from 'vitest'
import { aggregateSignatures, BlsSecretKey } from '../../base/crypto/bls.js'
import { keccak256Hex } from '../../base/crypto/keccak.js'
import { bytesEqual, concatBytes, uintToBytes } from '../../base/primitives/bytes.js'
import { type Address, type Hash32, zeroAddress, zeroHash } from '../../base/primitives/hashes.js'
import {
  attestationDigest,
  type BatchCertificate,
  decodeAttestation,
  encodeAttestation,
} from '../../base/protocol/batch-attestation.js'
import { batchHash, genesisBatchHeader, hashOfBlobHashes } from '../../base/protocol/batch-header.js'
import type { Block } from '../../base/protocol/block.js'
import { emptyInboxRoot } from '../../base/protocol/block-context.js'
import { type BlockHeader, headerHash } from '../../base/protocol/block-header.js'
import { defaultParameters, type ProtocolParameters } from '../../base/protocol/protocol-parameters.js'
import { verifyQuorum } from '../../base/protocol/quorum-certificate.js'
import { setOfKeys } from '../../base/protocol/sequencer-set.fixture.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'
import { brotliCodec } from '../../io/compression/brotli-codec.js'
import { inlineCompression } from '../../io/compression/inline-compression.js'
import { GuardedSigner } from '../../io/keys/guarded-signer.js'
import { MemorySigningRecord } from '../../io/keys/memory-signing-record.js'
import { inlineSignatureVerifier } from '../../io/keys/signature-verifier.js'
import type { Kzg } from '../../io/kzg/kzg.js'
import { versionedHashOf } from '../../io/kzg/native-kzg.js'
import type { Channel, Misbehaviour, Peer } from '../../io/network/peer-network.js'
import type { KeyValueStore } from '../../io/storage/key-value-store.js'
import { MemoryStore } from '../../io/storage/memory-store.js'
import { silentLogger } from '../../io/telemetry/logger.js'
import { silentMetrics } from '../../io/telemetry/metrics.js'
import { VirtualClock } from '../../io/time/virtual-clock.js'
import { payloadBlockOf } from '../../rules/batch/payload.js'
import { openBatch } from '../../rules/derivation/open-batch.js'
import { createProtocolSchedule, type ProtocolSchedule } from '../../rules/upgrades/protocol-schedule.js'
import { encodeBatchMessage } from './batch-message.js'
import { type Batcher, type BatcherPorts, createBatcher } from './batcher.js'

const domain = { l1ChainId: 31_337, rollup: `0x${'42'.repeat(20)}` as Address }
const parameters: ProtocolParameters = { ...defaultParameters, batchBlocks: 5, batchIntervalMs: 60_000 }
const secrets = [1, 2, 3, 4, 5].map(n => BlsSecretKey.fromSeed(new Uint8Array(32).fill(n)))
const setOf = (setId: number, members: readonly number[]): SequencerSet =>
  setOfKeys({ setId, keys: members.map(n => secrets[n]!) })
const four = setOf(1, [0, 1, 2, 3])
const genesis = genesisBatchHeader({ blockHash: zeroHash, stateRoot: zeroHash })

/** Stands for the KZG library, which takes seconds to load: binding, but no KZG. */
const hashingKzg: Kzg = {
  async commitment(blob) {
    const commitment = Uint8Array.from(createHash('sha384').update(blob).digest())
    return { commitment, versionedHash: versionedHashOf(commitment) }
  },
  cellProofs: async blob => [Uint8Array.from(createHash('sha384').update('proof').update(blob).digest())],
  close: async () => {},
}

/** Bytes that do not compress, the same for the same name. */
function noise(name: string, length: number): Uint8Array {
  const parts = Array.from({ length: Math.ceil(length / 64) }, (_, i) =>
    Uint8Array.from(createHash('sha512').update(`${name} ${i}`).digest()),
  )
  return concatBytes(...parts).subarray(0, length)
}

interface ChainPlan {
  readonly length: number
  readonly setAt?: (height: number) => SequencerSet
  readonly transactionBytes?: (height: number) => number
  readonly messagesConsumed?: number
  readonly versionAt?: (height: number) => number
}

/** Blocks 1 to `length`, 100 ms apart. */
function makeChain({
  length,
  setAt = () => four,
  transactionBytes = () => 100,
  messagesConsumed = 0,
  versionAt = () => 1,
}: ChainPlan) {
  const blocks: Block[] = []
  for (let number = 1; number <= length; number++) {
    const timestampMs = 1_000_000 + number * 100
    const context = {
      version: versionAt(number),
      setId: setAt(number).setId,
      proposerIndex: number % 4,
      timestampMs,
      l1OriginNumber: number >> 2,
      l1OriginHash: keccak256Hex(uintToBytes(number >> 2, 8)),
      messagesConsumed,
      inboxRoot: emptyInboxRoot,
    }
    const header = {
      parentHash: blocks.at(-1)?.hash ?? zeroHash,
      feeRecipient: zeroAddress,
      stateRoot: keccak256Hex(uintToBytes(number, 8)),
      transactionsRoot: zeroHash,
      receiptsRoot: zeroHash,
      logsBloom: `0x${'00'.repeat(256)}`,
      number,
      gasLimit: 30_000_000,
      gasUsed: 21_000,
      timestamp: Math.floor(timestampMs / 1_000),
      prevRandao: zeroHash,
      baseFeePerGas: 7n,
      withdrawalsRoot: zeroHash,
      parentBeaconBlockRoot: zeroHash,
      requestsHash: zeroHash,
    } satisfies BlockHeader
    const transactions = [noise(`transaction ${number}`, transactionBytes(number))]
    blocks.push({ hash: headerHash(header), header, context, transactions, withdrawals: [] })
  }
  return blocks
}

/** What of a node outlives its process. */
interface Disk {
  readonly store: MemoryStore
  readonly record: MemorySigningRecord
}
const newDisk = (): Disk => ({ store: new MemoryStore(), record: new MemorySigningRecord() })

interface NodeOptions {
  readonly chain: readonly Block[]
  /** Which of the five keys; null signs nothing. */
  readonly key: number | null
  readonly disk?: Disk
  readonly store?: KeyValueStore
  /** Height of the execution client's head at the start. */
  readonly head?: number
  readonly setAt?: (height: number) => SequencerSet
  readonly parameters?: ProtocolParameters
  readonly protocol?: ProtocolSchedule
  readonly rollingHashAt?: (messagesConsumed: number) => Hash32 | null
  readonly network?: FakeNetwork
  /** Throws while the signer cannot sign. */
  readonly beforeSigning?: () => void
  readonly onConflict?: BatcherPorts['onConflict']
  readonly verifier?: BatcherPorts['verifier']
  /** Its process ends without a word: nothing of it is waited for. */
  readonly isKilled?: boolean
}

async function startNode({ chain, key, disk = newDisk(), head = 0, setAt = () => four, ...options }: NodeOptions) {
  let height = head
  const errors: [string, Readonly<Record<string, unknown>> | undefined][] = []
  const clock = new VirtualClock()
  const batcher = await createBatcher({
    config: {
      protocol: options.protocol ?? createProtocolSchedule({ parameters: options.parameters ?? parameters }),
      domain,
      genesis,
    },
    ports: {
      store: options.store ?? disk.store,
      execution: {
        blockAt: async at => (at <= height ? (chain[at - 1] ?? null) : null),
        storageAt: async (_address, _slot, at) => keccak256Hex(uintToBytes(at, 9)),
        head: async () => ({ hash: zeroHash, header: { number: height } as BlockHeader }),
      },
      l1View: { rollingHashAt: options.rollingHashAt ?? (() => zeroHash) },
      sets: { setAt },
      verifier: options.verifier ?? inlineSignatureVerifier,
      signer:
        key === null
          ? null
          : signerOf({ key, disk, ...(options.beforeSigning && { beforeSigning: options.beforeSigning }) }),
      network: options.network ?? null,
      onConflict: options.onConflict ?? (() => {}),
      compression: inlineCompression,
      kzg: hashingKzg,
      clock,
      logger: { ...silentLogger, error: (message, fields) => errors.push([message, fields]) },
      metrics: silentMetrics,
    },
  })
  if (!options.isKilled) onTestFinished(() => batcher[Symbol.asyncDispose]())
  const decide = (upTo: number) => {
    for (; height < upTo; ) batcher.onDecided(chain[height++]!)
  }
  return { batcher, clock, errors, decide, disk }
}

function signerOf({ key, disk, beforeSigning = () => {} }: { key: number; disk: Disk; beforeSigning?: () => void }) {
  const signer = new GuardedSigner({ secretKey: secrets[key]!, domain, record: disk.record })
  return {
    publicKey: signer.publicKey,
    signAttestation: async (content: Parameters<typeof signer.signAttestation>[0]) => {
      beforeSigning()
      return signer.signAttestation(content)
    },
  }
}

/** Lets pending work go on for a while. */
async function settle(turns = 50): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise(resolve => setImmediate(resolve))
}

/** Lets pending work go on until the condition holds; fails the test when it never does. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let turns = 0; turns < 5_000; turns++) {
    if (await condition()) return
    await new Promise(resolve => setImmediate(resolve))
  }
  expect.fail(`never came: ${condition}`)
}

const sealed = (batcher: Batcher, index: number) => until(() => batcher.latest() >= index)
const attesting = (batcher: Batcher, index: number) =>
  until(() => {
    const bytes = batcher.extension()
    return bytes.length > 0 && decodeAttestation(bytes).batchIndex === index
  })
const certified = (batcher: Batcher, index: number) =>
  until(async () => (await batcher.batch(index))?.certificate != null)

async function hashesOf(batcher: Batcher): Promise<Hash32[]> {
  return Array.from({ length: batcher.latest() }, (_, i) => batcher.batchHashOf(i + 1)!)
}

/** A valid certificate of a batch by these keys of the set of four. */
async function certificateBy(batcher: Batcher, index: number, keys: readonly number[]): Promise<BatchCertificate> {
  const { header, batchHash: hash } = (await batcher.batch(index))!
  const nodes = await Promise.all(keys.map(key => attest(key, header.batchIndex, hash)))
  let absent = 0n
  for (let i = 0; i < 4; i++) if (!keys.includes(i)) absent |= 1n << BigInt(i)
  const signature = aggregateSignatures(nodes.map(bytes => decodeAttestation(bytes).signature))
  return { batchIndex: index, batchHash: hash, absent, signature }
}

async function attest(key: number, batchIndex: number, hash: Hash32): Promise<Uint8Array> {
  const content = { batchIndex, batchHash: hash }
  return encodeAttestation({ ...content, signature: secrets[key]!.sign(attestationDigest(domain, content)) })
}

/** One node's side of a network that the test plays. */
class FakeNetwork {
  readonly sent: { to: string; message: Uint8Array }[] = []
  readonly dropped: { peer: string; reason: string }[] = []
  handler: (from: Peer, message: Uint8Array) => void = () => {}
  greet: (peer: Peer) => void = () => {}
  /** Handlers that were not taken back. */
  handlers = 0
  constructor(private readonly connected: Peer[]) {}
  peers() {
    return this.connected
  }
  send(to: string, _channel: Channel, message: Uint8Array) {
    this.sent.push({ to, message })
  }
  onMessage(_channel: Channel, handler: (from: Peer, message: Uint8Array) => void) {
    this.handler = handler
    return this.counted()
  }
  onConnect(handler: (peer: Peer) => void) {
    this.greet = handler
    return this.counted()
  }
  private counted() {
    this.handlers++
    return () => {
      this.handlers--
    }
  }
  drop(peer: string, { reason }: Misbehaviour) {
    this.dropped.push({ peer, reason })
  }
  has(to: string, message: Uint8Array): boolean {
    return this.sent.some(one => one.to === to && bytesEqual(one.message, message))
  }
}
const peer = (id: string, key: number | null = null): Peer => ({
  id,
  consensusKey: key === null ? null : secrets[key]!.publicKey(),
})

describe('sealing', () => {
  it('chains batches of whole blocks from genesis, with blobs that say the same as the header', async () => {
    const chain = makeChain({ length: 12 })
    const { batcher, decide } = await startNode({ chain, key: 0 })
    decide(12)
    await sealed(batcher, 2)
    let parent = batchHash(genesis)
    for (const index of [1, 2]) {
      const batch = (await batcher.batch(index))!
      const { header } = batch
      expect(header).toMatchObject({ batchIndex: index, parentBatchHash: parent, setId: 1, version: 1 })
      expect(header.firstBlock).toBe(index * 5 - 4)
      expect(header.lastBlockHash).toBe(chain[index * 5 - 1]!.hash)
      expect(header.postStateRoot).toBe(chain[index * 5 - 1]!.header.stateRoot)
      expect(header.withdrawalRoot).toBe(keccak256Hex(uintToBytes(index * 5, 9)))
      const blobs = await batch.blobs()
      expect(header.blobHashesHash).toBe(hashOfBlobHashes(blobs.map(blob => blob.versionedHash)))
      const payload = openBatch({ header, blobs: blobs.map(({ blob }) => blob), codec: brotliCodec })
      expect(payload.blocks).toEqual(chain.slice(index * 5 - 5, index * 5).map(payloadBlockOf))
      parent = batch.batchHash
    }
    expect(await batcher.batch(3)).toBeNull()
    expect(batcher.batchHashOf(3)).toBeNull()
    expect((await batcher.batch(0))?.header).toEqual(genesis)
  })

  it('ends a batch where an upgrade activates, and seals the next ones by its parameters', async () => {
    const upgrades = [{ version: 2, activationHeight: 8, parameters: { batchBlocks: 3 } }]
    const chain = makeChain({ length: 14, versionAt: height => (height < 8 ? 1 : 2) })
    const { batcher, decide } = await startNode({
      chain,
      key: 0,
      protocol: createProtocolSchedule({ parameters, upgrades }),
    })
    decide(14)
    await sealed(batcher, 4)
    const headers = await Promise.all([1, 2, 3, 4].map(async index => (await batcher.batch(index))!.header))
    expect(headers.map(({ firstBlock, lastBlock }) => [firstBlock, lastBlock])).toEqual([
      [1, 5],
      [6, 7],
      [8, 10],
      [11, 13],
    ])
  })

  it.each([
    ['one that nobody decides', 8],
    ['one that the network passed without it', 3],
  ])('seals nothing by the schedule of an upgrade alone: %s', async (_what, activationHeight) => {
    const chain = makeChain({ length: 14 })
    const upgrades = [{ version: 2, activationHeight, parameters: { batchBlocks: 3 } }]
    const before = activationHeight - 1
    const scheduled = await startNode({ chain, key: 0, protocol: createProtocolSchedule({ parameters, upgrades }) })
    const plain = await startNode({ chain, key: 0 })
    scheduled.decide(before)
    plain.decide(14)
    await sealed(plain.batcher, 2)
    for (let turn = 0; turn < 20; turn++) await scheduled.clock.advance(1_000)
    scheduled.decide(14)
    for (let turn = 0; turn < 20; turn++) await scheduled.clock.advance(1_000)
    expect(scheduled.batcher.latest()).toBe(Math.floor(before / 5))
    for (let index = 1; index <= scheduled.batcher.latest(); index++)
      expect(scheduled.batcher.batchHashOf(index)).toBe(plain.batcher.batchHashOf(index))
  })

  it('ends a batch before the block that it has no room for, alike for a node that restarts in between', async () => {
    const small = { ...parameters, batchBlocks: 600, maxBlobsPerBatch: 1, maxBlockTransactionBytes: 100_000 }
    const chain = makeChain({ length: 40, transactionBytes: height => 1_000 + ((height * 7_919) % 30_000) })
    const steady = await startNode({ chain, key: 0, parameters: small })
    steady.decide(40)
    await until(() => steady.batcher.latest() >= 3)
    const expected = await hashesOf(steady.batcher)
    for (let index = 1; index <= 3; index++) expect((await (await steady.batcher.batch(index))!.blobs()).length).toBe(1)
    const disk = newDisk()
    for (let head = 0; head < 40; head += 3) {
      const { batcher, decide } = await startNode({ chain, key: 1, parameters: small, disk, head })
      decide(Math.min(head + 3, 40))
      const due = (await Promise.all(expected.map((_, i) => steady.batcher.batch(i + 1)))).filter(
        batch => batch!.header.lastBlock < Math.min(head + 3, 40),
      ).length
      await sealed(batcher, due)
      await batcher[Symbol.asyncDispose]()
      expect(await hashesOf(batcher)).toEqual(expected.slice(0, batcher.latest()))
    }
    const last = await startNode({ chain, key: 1, parameters: small, disk, head: 40 })
    await sealed(last.batcher, expected.length)
    expect(await hashesOf(last.batcher)).toEqual(expected)
  })

  it('loses and doubles nothing, whatever write was the last before kill -9', async () => {
    const chain = makeChain({ length: 16 })
    const steady = await startNode({ chain, key: 0, head: 16 })
    await sealed(steady.batcher, 3)
    const expected = await hashesOf(steady.batcher)
    for (let writes = 0; writes <= 6; writes++) {
      const disk = newDisk()
      let left = writes
      const dying: KeyValueStore = {
        get: key => disk.store.get(key),
        entries: range => disk.store.entries(range),
        close: () => disk.store.close(),
        write: changes => (left-- > 0 ? disk.store.write(changes) : new Promise(() => {})),
      }
      const killed = await startNode({ chain: chain.slice(0, 11), key: 1, disk, store: dying, isKilled: true })
      killed.decide(11)
      await until(() => left < 0 || killed.batcher.latest() === 2)
      const next = await startNode({ chain, key: 1, disk, head: 11 })
      next.decide(16)
      await sealed(next.batcher, 3)
      await attesting(next.batcher, 1)
      expect(await hashesOf(next.batcher)).toEqual(expected)
      for (let index = 1; index <= 3; index++) {
        const certificate = await certificateBy(next.batcher, index, [0, 1, 2])
        expect(await next.batcher.acceptCertificate(certificate)).toBe('stored')
        if (index < 3) await attesting(next.batcher, index + 1)
      }
      expect(next.errors).toEqual([])
    }
  })

  it('waits for its own view of L1 before it puts a rolling hash into a header', async () => {
    let rolling: Hash32 | null = null
    const chain = makeChain({ length: 5, messagesConsumed: 3 })
    const rollingHashAt = (count: number) => (count === 3 ? rolling : null)
    const { batcher, clock, decide, errors } = await startNode({ chain, key: 0, rollingHashAt })
    decide(5)
    await clock.advance(5_000)
    expect(batcher.latest()).toBe(0)
    rolling = `0x${'77'.repeat(32)}`
    await clock.advance(1_000)
    await sealed(batcher, 1)
    expect((await batcher.batch(1))!.header).toMatchObject({ messagesConsumed: 3, messagesRollingHash: rolling })
    expect(errors).toEqual([])
  })

  it('tries again after a failure, later and later', async () => {
    const disk = newDisk()
    let failures = 3
    const flaky: KeyValueStore = {
      get: key => disk.store.get(key),
      entries: range => disk.store.entries(range),
      close: () => disk.store.close(),
      write: async changes => {
        if (failures-- > 0) throw new RangeError('disk full')
        await disk.store.write(changes)
      },
    }
    const chain = makeChain({ length: 5 })
    const { batcher, clock, decide, errors } = await startNode({ chain, key: null, store: flaky })
    decide(5)
    for (const [tries, afterMs] of [
      [1, 0],
      [2, 500],
      [3, 1_000],
    ] as const) {
      await clock.advance(afterMs)
      await until(() => errors.length === tries)
    }
    await clock.advance(2_000)
    await sealed(batcher, 1)
    expect(errors[0]![0]).toBe('batching failed, will be tried again')
  })

  it('refuses parameters by which a block might not fit a batch', async () => {
    const small = { ...parameters, maxBlobsPerBatch: 1 }
    await expect(startNode({ chain: [], key: 0, parameters: small })).rejects.toMatchObject({
      code: 'BATCH_PARAMETERS',
    })
  })
})

describe('attestations', () => {
  it('make a certificate that L1 would accept, in every node', async () => {
    const chain = makeChain({ length: 5 })
    const nodes = await Promise.all([0, 1, 2].map(key => startNode({ chain, key })))
    for (const { decide } of nodes) decide(5)
    for (const { batcher } of nodes) await attesting(batcher, 1)
    const extensions = nodes.map(({ batcher }) => batcher.extension())
    for (const { batcher } of nodes) {
      for (const [member, bytes] of extensions.entries()) batcher.onExtension({ set: four, member, bytes })
      await certified(batcher, 1)
      const { certificate, batchHash: hash } = (await batcher.batch(1))!
      const { absent, signature } = certificate!
      expect(absent).toBe(0b1000n)
      const digest = attestationDigest(domain, { batchIndex: 1, batchHash: hash })
      expect(verifyQuorum({ set: four, absent, digest, signature })).toEqual({ ok: true, value: undefined })
      expect(batcher.extension().length).toBe(0)
    }
  })

  it('count once, and not without a quorum', async () => {
    const chain = makeChain({ length: 5 })
    const { batcher, decide } = await startNode({ chain, key: 0 })
    decide(5)
    await attesting(batcher, 1)
    const hash = batcher.batchHashOf(1)!
    const second = await attest(1, 1, hash)
    for (let i = 0; i < 4; i++) batcher.onExtension({ set: four, member: 1, bytes: second })
    await batcher[Symbol.asyncDispose]()
    expect((await batcher.batch(1))!.certificate).toBeNull()
  })

  it('that come before this node has sealed the batch are kept until then', async () => {
    const chain = makeChain({ length: 5 })
    const other = await startNode({ chain, key: 1 })
    other.decide(5)
    await sealed(other.batcher, 1)
    const hash = other.batcher.batchHashOf(1)!
    const { batcher, decide } = await startNode({ chain, key: 0 })
    for (const member of [2, 1, 3]) batcher.onExtension({ set: four, member, bytes: await attest(member, 1, hash) })
    decide(5)
    await certified(batcher, 1)
  })

  it('that are forged are found out and leave the place to the true one', async () => {
    const chain = makeChain({ length: 5 })
    const { batcher, decide, errors } = await startNode({ chain, key: 0 })
    decide(5)
    await attesting(batcher, 1)
    const hash = batcher.batchHashOf(1)!
    const forged = decodeAttestation(await attest(4, 1, hash))
    batcher.onExtension({ set: four, member: 1, bytes: encodeAttestation(forged) })
    batcher.onExtension({ set: four, member: 2, bytes: encodeAttestation({ ...forged, signature: noise('x', 96) }) })
    for (const bytes of [noise('y', 130), new Uint8Array(0), Uint8Array.of(0xc0)])
      batcher.onExtension({ set: four, member: 3, bytes })
    batcher.onExtension({ set: four, member: 9, bytes: await attest(1, 1, hash) })
    // By members who are not of the batch's set.
    batcher.onExtension({ set: setOf(2, [4]), member: 0, bytes: await attest(4, 1, hash) })
    expect((await batcher.batch(1))!.certificate).toBeNull()
    for (const member of [1, 2, 3]) {
      // Every precommit brings them again.
      for (let height = 0; height < 3; height++) {
        batcher.onExtension({ set: four, member, bytes: await attest(member, 1, hash) })
        await new Promise(resolve => setImmediate(resolve))
      }
    }
    for (const member of [1, 2, 3]) batcher.onExtension({ set: four, member, bytes: await attest(member, 1, hash) })
    await certified(batcher, 1)
    expect(errors).toEqual([])
  })

  it('validly signed for another hash are reported, once for each member; forged ones are not', async () => {
    const chain = makeChain({ length: 5 })
    const { batcher, decide, errors } = await startNode({ chain, key: 0 })
    decide(5)
    await attesting(batcher, 1)
    const other: Hash32 = `0x${'66'.repeat(32)}`
    batcher.onExtension({ set: four, member: 2, bytes: await attest(1, 1, other) })
    await settle()
    expect(errors).toEqual([])
    for (let i = 0; i < 3; i++) batcher.onExtension({ set: four, member: 1, bytes: await attest(1, 1, other) })
    await settle()
    expect(errors.length).toBe(1)
    expect(errors[0]![1]).toEqual({ batchIndex: 1, own: batcher.batchHashOf(1), theirs: other })
  })

  it('for two hashes by one member are reported as a conflict once, in whatever order they come', async () => {
    const chain = makeChain({ length: 5 })
    const conflicts: { member: number; hashes: Hash32[] }[] = []
    const { batcher, decide } = await startNode({
      chain,
      key: 0,
      onConflict: ({ member, attestations }) =>
        conflicts.push({ member, hashes: attestations.map(({ batchHash }) => batchHash) }),
    })
    decide(5)
    await attesting(batcher, 1)
    const own = batcher.batchHashOf(1)!
    const [other, third]: Hash32[] = [`0x${'66'.repeat(32)}`, `0x${'77'.repeat(32)}`]
    const say = async (member: number, hash: Hash32, signer = member) => {
      batcher.onExtension({ set: four, member, bytes: await attest(signer, 1, hash) })
      await settle(2)
    }
    await say(1, other!)
    await say(2, third!)
    await say(3, third!, 1)
    expect(conflicts).toEqual([])
    await say(1, own)
    await say(2, other!)
    for (let i = 0; i < 2; i++) await say(1, third!)
    expect(conflicts).toEqual([
      { member: 1, hashes: [other, own] },
      { member: 2, hashes: [third, other] },
    ])
    await say(2, own)
    await certified(batcher, 1)
    await say(3, other!)
    await say(3, own)
    expect(conflicts.slice(2)).toEqual([{ member: 3, hashes: [other, own] }])
  })

  it('forged in its own name cost a peer its connection, and relayed ones nobody', async () => {
    const network = new FakeNetwork([peer('one', 1)])
    const { batcher, decide } = await startNode({ chain: makeChain({ length: 5 }), key: 0, network })
    decide(5)
    await attesting(batcher, 1)
    const other: Hash32 = `0x${'66'.repeat(32)}`
    const forged = await attest(2, 1, other)
    batcher.onExtension({ set: four, member: 1, bytes: forged })
    await settle()
    expect(network.dropped).toEqual([])
    const message = encodeBatchMessage({ type: 'attestation', attestation: decodeAttestation(forged) })
    network.handler(peer('stranger'), message)
    await settle()
    expect(network.dropped).toEqual([])
    network.handler(peer('one', 1), message)
    await settle()
    expect(network.dropped).toEqual([{ peer: 'one', reason: 'forged-attestation' }])
  })

  it('forged for this node’s own hash are believed once, and then cost the peer its connection', async () => {
    const network = new FakeNetwork([peer('one', 1)])
    const { batcher, decide } = await startNode({ chain: makeChain({ length: 5 }), key: 0, network })
    decide(5)
    await attesting(batcher, 1)
    const hash = batcher.batchHashOf(1)!
    const forge = async (n: number) => {
      const attestation = { batchIndex: 1, batchHash: hash, signature: noise(`${n}`, 96) }
      network.handler(peer('one', 1), encodeBatchMessage({ type: 'attestation', attestation }))
      await settle()
    }
    await forge(1)
    batcher.onExtension({ set: four, member: 2, bytes: await attest(2, 1, hash) })
    await settle()
    expect(network.dropped).toEqual([])
    await forge(2)
    await forge(2)
    expect(network.dropped.map(({ reason }) => reason)).toEqual(Array(2).fill('forged-attestation'))
    batcher.onExtension({ set: four, member: 1, bytes: await attest(1, 1, hash) })
    await certified(batcher, 1)
  })

  it('that are forged in a name hide no conflict of the member', async () => {
    const conflicts: number[] = []
    const { batcher, decide } = await startNode({
      chain: makeChain({ length: 5 }),
      key: 0,
      onConflict: ({ member }) => conflicts.push(member),
    })
    decide(5)
    await attesting(batcher, 1)
    const own = batcher.batchHashOf(1)!
    const other: Hash32 = `0x${'66'.repeat(32)}`
    const say = async (member: number, hash: Hash32, signer = member) => {
      batcher.onExtension({ set: four, member, bytes: await attest(signer, 1, hash) })
      await settle(2)
    }
    await say(1, own, 2)
    await say(1, other)
    await say(3, other)
    await say(3, own, 2)
    expect(conflicts).toEqual([])
    await say(1, own)
    await say(3, own)
    expect(conflicts).toEqual([1, 3])
  })

  it('that are forged in a name before the true one shut it out of no batch', async () => {
    const { batcher, decide } = await startNode({ chain: makeChain({ length: 5 }), key: 0 })
    decide(5)
    await attesting(batcher, 1)
    const hash = batcher.batchHashOf(1)!
    batcher.onExtension({ set: four, member: 1, bytes: await attest(4, 1, hash) })
    batcher.onExtension({ set: four, member: 1, bytes: await attest(1, 1, hash) })
    batcher.onExtension({ set: four, member: 2, bytes: await attest(2, 1, hash) })
    await certified(batcher, 1)
    expect((await batcher.batch(1))!.certificate!.absent).toBe(0b1000n)
  })

  it('that are forged cost few checks, none of them on the calling thread', async () => {
    const checks: number[] = []
    const verifier: BatcherPorts['verifier'] = {
      verify: async batch => {
        await new Promise(resolve => setImmediate(resolve))
        checks.push(batch.signed.length)
        return inlineSignatureVerifier.verify(batch)
      },
      verifyAggregates: claims => inlineSignatureVerifier.verifyAggregates(claims),
    }
    const chain = makeChain({ length: 10 })
    const { batcher, decide, errors } = await startNode({ chain, key: 0, verifier })
    decide(5)
    await attesting(batcher, 1)
    const hash = batcher.batchHashOf(1)!
    // Of other hashes: few a height, and a known one not at all.
    const say = (n: number, member = 1, of: Hash32 = `0x${'77'.repeat(32)}`) =>
      batcher.onExtension({
        set: four,
        member,
        bytes: encodeAttestation({ batchIndex: 1, batchHash: of, signature: noise(`${n}`, 96) }),
      })
    for (let n = 0; n < 50; n++) say(n)
    await settle()
    expect(checks.length).toBe(4)
    decide(6)
    for (let n = 0; n < 50; n++) say(3)
    await settle()
    expect(checks.length).toBe(4)
    say(51)
    await settle()
    expect(checks.length).toBe(5)
    // Of this node's hash: all that a quorum needs as one.
    checks.length = 0
    decide(7)
    say(60, 3, hash)
    batcher.onExtension({ set: four, member: 2, bytes: await attest(2, 1, hash) })
    await settle()
    expect(checks).toEqual([3])
    batcher.onExtension({ set: four, member: 3, bytes: await attest(3, 1, hash) })
    await certified(batcher, 1)
    expect(checks).toEqual([3, 1])
    expect(errors).toEqual([])
  })

  it('that could not be signed are signed soon after, in order, without another batch', async () => {
    let isAway = true
    const chain = makeChain({ length: 14 })
    const beforeSigning = () => {
      if (isAway) throw new Error('the signer does not answer')
    }
    const { batcher, decide, clock, errors } = await startNode({ chain, key: 0, beforeSigning })
    decide(10)
    await sealed(batcher, 2)
    await clock.advance(500)
    decide(11)
    await until(() => errors.length > 0)
    isAway = false
    await clock.advance(500)
    decide(12)
    await attesting(batcher, 1)
    for (const member of [1, 2])
      batcher.onExtension({ set: four, member, bytes: await attest(member, 1, batcher.batchHashOf(1)!) })
    await attesting(batcher, 2)
    expect(batcher.latest()).toBe(2)
    expect(errors.map(([message]) => message)).toEqual(['the batch attestation was not signed'])
  })

  it('of a member that leaves with the set travel over the network, for the batch of its set', async () => {
    const next = setOf(2, [1, 2, 3, 4])
    const setAt = (height: number) => (height <= 3 ? four : next)
    const chain = makeChain({ length: 8, setAt })
    const network = new FakeNetwork([peer('one', 1)])
    const leaving = await startNode({ chain, key: 0, setAt, network })
    leaving.decide(4)
    await attesting(leaving.batcher, 1)
    expect((await leaving.batcher.batch(1))!.header).toMatchObject({ setId: 1, lastBlock: 3 })
    const attestation = decodeAttestation(leaving.batcher.extension())
    const message = encodeBatchMessage({ type: 'attestation', attestation })
    await until(() => network.has('one', message))

    const staying = await startNode({ chain, key: 1, setAt, network: new FakeNetwork([]) })
    const inbox = new FakeNetwork([peer('zero', 0)])
    const receiver = await startNode({ chain, key: 2, setAt, network: inbox })
    receiver.decide(8)
    staying.decide(8)
    await attesting(receiver.batcher, 1)
    await attesting(staying.batcher, 1)
    // In the next set member 0 is the one that was member 1.
    receiver.batcher.onExtension({ set: next, member: 0, bytes: staying.batcher.extension() })
    inbox.handler(peer('zero', 0), message)
    await certified(receiver.batcher, 1)
    expect((await receiver.batcher.batch(1))!.certificate!.absent).toBe(0b1000n)
  })

  it('of a member that leaves are sent again, also those that it signed before, until there is a certificate', async () => {
    const next = setOf(2, [1, 2, 3, 4])
    const setAt = (height: number) => (height <= 6 ? four : next)
    const chain = makeChain({ length: 7, setAt })
    const network = new FakeNetwork([peer('one', 1)])
    const { batcher, decide, clock } = await startNode({ chain, key: 0, setAt, network })
    decide(5)
    await attesting(batcher, 1)
    const attestation = decodeAttestation(batcher.extension())
    const message = encodeBatchMessage({ type: 'attestation', attestation })
    await clock.advance(20_000)
    expect(network.has('one', message)).toBe(false)
    decide(7)
    await sealed(batcher, 2)
    for (let times = 0; times < 2; times++) {
      await clock.advance(5_000)
      expect(network.has('one', message)).toBe(true)
      network.sent.length = 0
    }
    for (const index of [1, 2]) await batcher.acceptCertificate(await certificateBy(batcher, index, [1, 2, 3]))
    network.sent.length = 0
    await clock.advance(60_000)
    expect(network.sent).toEqual([])
  })

  it('of a member that leaves are shut out neither by what votes say in its name nor by invented keys', async () => {
    const next = setOf(2, [1, 2, 3, 4])
    const setAt = (height: number) => (height <= 3 ? four : next)
    const chain = makeChain({ length: 8, setAt })
    const probe = await startNode({ chain, key: null, setAt })
    probe.decide(4)
    await sealed(probe.batcher, 1)
    const hash = probe.batcher.batchHashOf(1)!
    const inbox = new FakeNetwork([])
    const receiver = await startNode({ chain, key: 2, setAt, network: inbox })
    const garbage = { batchIndex: 1, batchHash: hash, signature: noise('x', 96) }
    receiver.batcher.onExtension({ set: four, member: 0, bytes: encodeAttestation(garbage) })
    const bytes = encodeBatchMessage({ type: 'attestation', attestation: garbage })
    for (let n = 0; n < 1_100; n++) {
      const seed = concatBytes(new Uint8Array(28), uintToBytes(n + 1_000, 4))
      inbox.handler({ id: `stranger ${n}`, consensusKey: BlsSecretKey.fromSeed(seed).publicKey() }, bytes)
    }
    const attestation = decodeAttestation(await attest(0, 1, hash))
    inbox.handler(peer('zero', 0), encodeBatchMessage({ type: 'attestation', attestation }))
    receiver.decide(8)
    await attesting(receiver.batcher, 1)
    receiver.batcher.onExtension({ set: next, member: 0, bytes: await attest(1, 1, hash) })
    await certified(receiver.batcher, 1)
    expect((await receiver.batcher.batch(1))!.certificate!.absent).toBe(0b1000n)
    expect(inbox.dropped).toEqual([])
  })
})

describe('certificates', () => {
  it('reach nodes that collect no votes, and go on to those who ask', async () => {
    const chain = makeChain({ length: 10 })
    const network = new FakeNetwork([peer('a'), peer('b')])
    const { batcher, decide } = await startNode({ chain, key: null, network })
    decide(10)
    await sealed(batcher, 2)
    // The first is older than the newest: somebody must have its certificate.
    const want = encodeBatchMessage({ type: 'want', from: 1 })
    await until(() => network.sent.some(({ message }) => bytesEqual(message, want)))
    const certificates = [await certificateBy(batcher, 1, [0, 1, 3]), await certificateBy(batcher, 2, [1, 2, 3])]
    network.handler(peer('a'), encodeBatchMessage({ type: 'certificates', certificates }))
    await certified(batcher, 2)
    expect((await batcher.batch(1))!.certificate).toEqual(certificates[0])
    for (const to of ['a', 'b'])
      await until(() => network.has(to, encodeBatchMessage({ type: 'certificates', certificates: [certificates[1]!] })))
    network.sent.length = 0
    network.handler(peer('c'), want)
    expect(network.has('c', encodeBatchMessage({ type: 'certificates', certificates }))).toBe(true)
    expect(network.dropped).toEqual([])
  })

  it('are sent to who asks, but once a second, and not to all strangers at once', async () => {
    const chain = makeChain({ length: 5 })
    const network = new FakeNetwork([])
    const { batcher, decide, clock } = await startNode({ chain, key: null, network })
    decide(5)
    await sealed(batcher, 1)
    expect(await batcher.acceptCertificate(await certificateBy(batcher, 1, [0, 1, 2]))).toBe('stored')
    const want = encodeBatchMessage({ type: 'want', from: 1 })
    for (let i = 0; i < 100; i++) network.handler(peer('a'), want)
    expect(network.sent.length).toBe(8)
    expect(new Set(network.dropped.map(({ reason }) => reason))).toEqual(new Set(['too-many-certificate-requests']))
    expect(network.dropped.length).toBe(92)
    await clock.advance(1_000)
    network.sent.length = 0
    for (let i = 0; i < 10; i++) network.handler(peer('a'), want)
    expect(network.sent.length).toBe(1)
    for (let i = 0; i < 2_000; i++) network.handler(peer(`stranger ${i}`), want)
    expect(network.sent.length).toBeLessThanOrEqual(64)
    network.handler(peer('sequencer', 1), want)
    expect(network.sent.at(-1)!.to).toBe('sequencer')
  })

  it('that come before the batch is sealed here count when it is', async () => {
    const chain = makeChain({ length: 5 })
    const other = await startNode({ chain, key: 0, head: 5 })
    await sealed(other.batcher, 1)
    const certificate = await certificateBy(other.batcher, 1, [0, 1, 2])
    const { batcher, decide } = await startNode({ chain, key: null })
    expect(await batcher.acceptCertificate(certificate)).toBe('kept')
    decide(5)
    await certified(batcher, 1)
    expect(await batcher.acceptCertificate(certificate)).toBe('known')
  })

  it('that come early and false shut out no true one, and cost their senders the connection', async () => {
    const chain = makeChain({ length: 5 })
    const probe = await startNode({ chain, key: null })
    probe.decide(5)
    await sealed(probe.batcher, 1)
    const network = new FakeNetwork([])
    const { batcher, decide } = await startNode({ chain, key: null, network })
    const certificate = (n: number) => ({
      batchIndex: 1,
      batchHash: zeroHash,
      absent: 0n,
      signature: noise(`${n}`, 96),
    })
    const send = (from: Peer, ...certificates: BatchCertificate[]) =>
      network.handler(from, encodeBatchMessage({ type: 'certificates', certificates }))
    for (let n = 0; n < 16; n++) send(peer('evil'), certificate(n))
    send(peer('second'), certificate(0))
    send(peer('honest'), await certificateBy(probe.batcher, 1, [0, 1, 2]))
    for (let n = 100; n < 300; n++) send(peer(`stranger ${n}`), certificate(n))
    await settle()
    decide(5)
    await certified(batcher, 1)
    expect(network.dropped.slice(0, 2).map(({ peer: id }) => id)).toEqual(['evil', 'second'])

    // All places of strangers are taken: one of the set has its own, and its turn before them.
    const other = await startNode({ chain, key: null, network })
    network.dropped.length = 0
    for (let n = 100; n < 300; n++) send(peer(`stranger ${n}`), certificate(n))
    send(peer('sequencer', 1), await certificateBy(probe.batcher, 1, [0, 1, 2]))
    await settle()
    other.decide(5)
    await certified(other.batcher, 1)
    await settle()
    expect(network.dropped).toEqual([])
  })

  it('are asked for again and again, of sequencers first, and stored again when that failed', async () => {
    const disk = newDisk()
    let isFull = true
    const store: KeyValueStore = Object.create(disk.store)
    store.write = async changes => {
      if (isFull && changes.length === 2) throw new Error('the disk is full')
      return disk.store.write(changes)
    }
    const chain = makeChain({ length: 5 })
    const network = new FakeNetwork([peer('a'), peer('b'), peer('one', 1)])
    const { batcher, decide, clock } = await startNode({ chain, key: 0, disk, store, network })
    decide(5)
    await attesting(batcher, 1)
    await clock.advance(30_000)
    const want = encodeBatchMessage({ type: 'want', from: 1 })
    const asked = network.sent.filter(({ message }) => bytesEqual(message, want)).map(({ to }) => to)
    expect(asked.slice(0, 4)).toEqual(['one', 'a', 'one', 'b'])
    const hash = batcher.batchHashOf(1)!
    for (const member of [1, 2]) batcher.onExtension({ set: four, member, bytes: await attest(member, 1, hash) })
    await settle()
    expect((await batcher.batch(1))!.certificate).toBeNull()
    isFull = false
    await clock.advance(5_000)
    await certified(batcher, 1)
  })

  it('that are forged cost the sender its connection', async () => {
    const chain = makeChain({ length: 5 })
    const network = new FakeNetwork([peer('a')])
    const { batcher, decide } = await startNode({ chain, key: null, network })
    decide(5)
    await sealed(batcher, 1)
    const good = await certificateBy(batcher, 1, [0, 1, 2])
    const weak = await certificateBy(batcher, 1, [0, 1])
    for (const certificate of [weak, { ...good, absent: 0n }, { ...good, absent: 1n << 9n }]) {
      const before = network.dropped.length
      network.handler(peer('a'), encodeBatchMessage({ type: 'certificates', certificates: [certificate] }))
      await until(() => network.dropped.length > before)
    }
    network.handler(peer('a'), noise('garbage', 50))
    expect(network.dropped.map(({ reason }) => reason)).toEqual([
      ...Array(3).fill('forged-batch-certificate'),
      'malformed-batch-message',
    ])
    expect((await batcher.batch(1))!.certificate).toBeNull()
  })

  it('by a quorum for another hash are reported and not stored', async () => {
    const chain = makeChain({ length: 5 })
    const { batcher, decide, errors } = await startNode({ chain, key: null })
    decide(5)
    await sealed(batcher, 1)
    const foreign = makeChain({ length: 5, transactionBytes: () => 50 })
    const elsewhere = await startNode({ chain: foreign, key: 0, head: 5 })
    await sealed(elsewhere.batcher, 1)
    const certificate = await certificateBy(elsewhere.batcher, 1, [0, 1, 2])
    expect(await batcher.acceptCertificate(certificate)).toBe('divergent')
    expect(errors[0]![1]).toMatchObject({ own: batcher.batchHashOf(1), theirs: certificate.batchHash })
    expect((await batcher.batch(1))!.certificate).toBeNull()
  })

  it('survive a restart, and what had none is attested again', async () => {
    const chain = makeChain({ length: 15 })
    const first = await startNode({ chain, key: 0, head: 15 })
    await sealed(first.batcher, 3)
    await attesting(first.batcher, 1)
    const certificate = await certificateBy(first.batcher, 2, [0, 1, 2])
    await until(async () => (await first.batcher.acceptCertificate(certificate)) === 'known')
    await first.batcher[Symbol.asyncDispose]()
    const { batcher, errors } = await startNode({ chain, key: 0, head: 15, disk: first.disk })
    await attesting(batcher, 1)
    expect((await batcher.batch(2))!.certificate).toEqual(certificate)
    expect(batcher.latestCertified()).toBe(0)
    const heard: number[] = []
    const stop = batcher.onCertified(({ batchIndex }) => heard.push(batchIndex))
    const hash = batcher.batchHashOf(1)!
    for (const member of [1, 2]) batcher.onExtension({ set: four, member, bytes: await attest(member, 1, hash) })
    await certified(batcher, 1)
    expect(heard).toEqual([1])
    await attesting(batcher, 3)
    expect(batcher.latestCertified()).toBe(2)
    stop()
    await batcher.acceptCertificate(await certificateBy(batcher, 3, [0, 2, 3]))
    expect(batcher.latestCertified()).toBe(3)
    expect(heard).toEqual([1])
    expect(errors).toEqual([])
  })

  it('that the others made while it was away are asked for at once, the newest too', async () => {
    const chain = makeChain({ length: 5 })
    const network = new FakeNetwork([peer('a')])
    const first = await startNode({ chain, key: 0, head: 5, network })
    await sealed(first.batcher, 1)
    await attesting(first.batcher, 1)
    const want = encodeBatchMessage({ type: 'want', from: 1 })
    expect(network.has('a', want)).toBe(false)
    const certificate = await certificateBy(first.batcher, 1, [0, 1, 2])
    await first.batcher[Symbol.asyncDispose]()
    expect(network.handlers).toBe(0)
    expect(await first.batcher.acceptCertificate(certificate)).toBe('known')
    const { batcher } = await startNode({ chain, key: 0, head: 5, disk: first.disk, network })
    await until(() => network.has('a', want))
    network.handler(peer('a'), encodeBatchMessage({ type: 'certificates', certificates: [certificate] }))
    await certified(batcher, 1)
  })
})
