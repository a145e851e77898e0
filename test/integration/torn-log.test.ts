import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { bytesToHex } from '../../src/base/primitives/bytes.js'
import { invariant } from '../../src/base/primitives/invariant.js'
import type { CertifiedBlock } from '../../src/base/protocol/block.js'
import type { ConsensusSigner } from '../../src/io/keys/consensus-signer.js'
import { MemorySigningRecord } from '../../src/io/keys/memory-signing-record.js'
import type { SigningRecord } from '../../src/io/keys/signing-record.js'
import type { AppendLog } from '../../src/io/storage/append-log.js'
import { FileLog } from '../../src/io/storage/file-log.js'
import { MemoryLog } from '../../src/io/storage/memory-log.js'
import { decodeWalRecord, isMark, type LoggedInput } from '../../src/services/sequencer/wal/wal-record.js'
import { watchedSigner } from '../fixtures/watched-signer.js'
import { Disk, domain, TestConsensusNetwork, type TestNode } from './consensus-network.js'

/** A log in memory that remembers what each sync made durable: the frames that a FileLog would have written. */
class FramedLog implements AppendLog {
  readonly frames: Uint8Array[][] = []
  private pending: Uint8Array[] = []
  private readonly memory = new MemoryLog()
  constructor(private readonly onFrame: () => void) {}

  readAll(): Promise<Uint8Array[]> {
    return this.memory.readAll()
  }
  append(record: Uint8Array): void {
    this.memory.append(record)
    this.pending.push(record)
  }
  async sync(): Promise<void> {
    await this.memory.sync()
    if (this.pending.length === 0) return
    this.frames.push(this.pending)
    this.pending = []
    this.onFrame()
  }
  replace(records: readonly Uint8Array[]): Promise<void> {
    return this.memory.replace(records)
  }
  turn(): Promise<void> {
    return this.memory.turn()
  }
  size(): number {
    return this.memory.size()
  }
  close(): Promise<void> {
    return this.memory.close()
  }
}

/** Everything that a key signed, before and after crashes; a position signed with two contents is a conflict. */
class SignedMessages {
  private readonly byPosition = new Map<string, string>()
  readonly conflicts: string[] = []

  watch(signer: ConsensusSigner): ConsensusSigner {
    return watchedSigner({
      signer,
      domain,
      onSigned: ({ kind, position, digest }) => {
        const at = `${kind} ${position}`
        const before = this.byPosition.get(at)
        if (before !== undefined && before !== digest) this.conflicts.push(at)
        this.byPosition.set(at, digest)
      },
    })
  }

  copy(): SignedMessages {
    const copy = new SignedMessages()
    for (const [position, digest] of this.byPosition) copy.byPosition.set(position, digest)
    return copy
  }
}

interface Crash {
  readonly net: TestConsensusNetwork
  readonly frames: readonly (readonly Uint8Array[])[]
  readonly chain: readonly CertifiedBlock[]
  readonly record: SigningRecord
  readonly signed: SignedMessages
}

/** A frame that ends with such a record; with a member down rounds fail, and timeouts come. */
interface Moment {
  readonly type: LoggedInput['type']
  readonly oneDown?: boolean
}

/**
 * Runs four nodes, the same way each time, until the log of node 0 has made a frame durable that ends with such a record and
 * the node has signed what follows from it; kills it there. Its log is then taken to end with that frame.
 */
async function crashedAt({ type, oneDown = false }: Moment): Promise<Crash> {
  const net = new TestConsensusNetwork(4)
  const signed = new SignedMessages()
  watchSigner(net, signed)
  const disk = new Disk(new FramedLog(() => look()))
  const { frames } = disk.wal as FramedLog
  net.disks.set(0, disk)
  let found: Pick<Crash, 'frames' | 'chain'> | null = null
  let crash: Crash | null = null
  let isLooking = false
  const look = () => {
    // The next frame is written: what follows from the one that was found is signed.
    if (found) crash ??= { net, ...found, record: disk.record.load(), signed: signed.copy() }
    const entry = decodeWalRecord(frames.at(-1)!.at(-1)!)
    if (!isLooking || found || isMark(entry)) return
    if (entry.input.type !== type || entry.height !== disk.chain.length + 1) return
    found = { frames: frames.map(frame => [...frame]), chain: [...disk.chain] }
  }
  for (let i = 0; i < 4; i++) await net.start(i)
  await net.clock.advance(250)
  if (oneDown) await net.crash(2)
  isLooking = true
  for (let ms = 0; ms < 20_000 && !crash; ms++) await net.clock.advance(1)
  invariant(crash !== null, 'the log has such a frame', { type })
  await net.crash(0)
  return crash
}

function watchSigner(net: TestConsensusNetwork, signed: SignedMessages): void {
  const plain = net.signer
  net.signer = (index, record) => (index === 0 ? signed.watch(plain(index, record)) : plain(index, record))
}

async function diskAfter({ chain, record, net }: Crash, wal: AppendLog): Promise<Disk> {
  const disk = new Disk(wal, net.disks.get(0)!.history)
  disk.chain.push(...chain)
  await disk.record.save(record)
  return disk
}

let directory: string
beforeEach(async () => {
  // Thousands of syncs: where there is a file system in memory they cost nothing, and what is read back is the same.
  const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
  directory = await mkdtemp(path.join(parent, 'morphism-torn-log-'))
})
afterEach(() => rm(directory, { recursive: true }))

/** Writes the frames to a file by a real log; gives the file's bytes and where its last frame begins. */
async function writeFrames(frames: Crash['frames']): Promise<{ bytes: Buffer; lastFrameAt: number }> {
  const file = path.join(directory, 'whole')
  const log = await FileLog.open({ path: file })
  for (const frame of frames.slice(0, -1)) {
    for (const record of frame) log.append(record)
    await log.sync()
  }
  const lastFrameAt = log.size()
  for (const record of frames.at(-1)!) log.append(record)
  await log.close()
  return { bytes: await readFile(file), lastFrameAt }
}

/** Starts the crashed node alone on a real log of these bytes, lets it sign what it wants to, and stops it. */
async function restartAlone(
  alone: TestConsensusNetwork,
  crash: Crash,
  bytes: Buffer,
): Promise<{ records: Uint8Array[]; conflicts: readonly string[] }> {
  const file = path.join(directory, 'cut')
  await writeFile(file, bytes)
  const log = await FileLog.open({ path: file })
  const records = await log.readAll()
  const signed = crash.signed.copy()
  const plain = alone.signer
  watchSigner(alone, signed)
  alone.disks.set(0, await diskAfter(crash, log))
  const node = await alone.start(0)
  alone.signer = plain
  // Each message waits for a sync of the log and then for its signature.
  for (let i = 0; i < 3; i++) {
    await log.sync()
    await alone.clock.advance(1)
  }
  expect(node.facts().progress.height).toBe(crash.chain.length + 1)
  expect(node.fatal).toEqual([])
  await node.crash()
  await log.close()
  return { records, conflicts: signed.conflicts }
}

/** A network for the node alone, somewhat later than the crash. */
async function networkAfter(crash: Crash): Promise<TestConsensusNetwork> {
  const alone = new TestConsensusNetwork(4)
  await alone.clock.advance(crash.net.clock.nowMs() - alone.clock.nowMs() + 50)
  return alone
}

/** Starts the crashed node on these records among the others; the height that it reaches. */
async function rejoin(
  moment: Moment,
  records: readonly Uint8Array[],
): Promise<{ net: TestConsensusNetwork; node: TestNode; signed: SignedMessages; from: number }> {
  const crash = await crashedAt(moment)
  const wal = new MemoryLog()
  for (const record of records) wal.append(record)
  crash.net.disks.set(0, await diskAfter(crash, wal))
  const from = crash.chain.length
  const node = await crash.net.start(0)
  await crash.net.clock.advance(3_000)
  return { net: crash.net, node, signed: crash.signed, from }
}

/** Records as one text: compared a thousand times faster than byte by byte. */
const hexOf = (records: readonly Uint8Array[]): string => records.map(bytesToHex).join()

const moments: readonly Moment[] = [
  { type: 'prepared' },
  { type: 'validated' },
  { type: 'aggregate' },
  { type: 'votes', oneDown: true },
  { type: 'timeout', oneDown: true },
]

describe('a node whose log was cut at any byte of its last frame', () => {
  it.each(moments)(
    'that ends with $type: starts, replays, never contradicts itself, and joins',
    async moment => {
      const crash = await crashedAt(moment)
      const alone = await networkAfter(crash)
      const { bytes, lastFrameAt } = await writeFrames(crash.frames)
      const before = crash.frames.slice(0, -1).flat()
      const all = crash.frames.flat()
      expect(bytes.length - lastFrameAt).toBeGreaterThan(12)
      for (let cut = lastFrameAt; cut <= bytes.length; cut++) {
        const { records, conflicts } = await restartAlone(alone, crash, bytes.subarray(0, cut))
        // A frame is whole or gone.
        expect(hexOf(records)).toBe(cut === bytes.length ? hexOf(all) : hexOf(before))
        expect(conflicts).toEqual([])
      }
      // What the node wrote after the cut follows what was left.
      const mended = await FileLog.open({ path: path.join(directory, 'cut') })
      const kept = await mended.readAll()
      await mended.close()
      expect(hexOf(kept.slice(0, all.length))).toBe(hexOf(all))
      for (const record of kept.slice(all.length)) decodeWalRecord(record)
      // So there are two outcomes to join with.
      for (const records of [before, all]) {
        const { net, node, signed, from } = await rejoin(moment, records)
        expect(node.height).toBeGreaterThan(from + 3)
        expect(Math.max(...net.heights()) - node.height).toBeLessThanOrEqual(1)
        expect(signed.conflicts).toEqual([])
        expect(net.problems()).toEqual([])
        const lately = net.nodes.get(1)!.disk.chain.slice(-6)
        expect(lately.some(({ certificate }) => (certificate.absent & 1n) === 0n)).toBe(true)
      }
    },
    120_000,
  )

  it('would contradict itself without the signing record', async () => {
    const crash = await crashedAt({ type: 'prepared' })
    const alone = await networkAfter(crash)
    const { bytes, lastFrameAt } = await writeFrames(crash.frames)
    const cut = bytes.subarray(0, lastFrameAt)
    const forgetful = { ...crash, record: new MemorySigningRecord().load() }
    const position = `proposal ${crash.chain.length + 1}/0`
    expect((await restartAlone(alone, forgetful, cut)).conflicts).toContain(position)
    expect((await restartAlone(alone, crash, cut)).conflicts).toEqual([])
  })
})
