import { encodeRlp } from '../../base/encoding/rlp.js'
import { RlpFields, rlpHex, rlpUint } from '../../base/encoding/rlp-fields.js'
import { asciiToBytes, concatBytes, uintToBytes } from '../../base/primitives/bytes.js'
import { type BatchHash, type Hash32, zeroHash } from '../../base/primitives/hashes.js'
import { invariant } from '../../base/primitives/invariant.js'
import type { BatchIndex, L1BlockNumber, SetId } from '../../base/primitives/quantities.js'
import { decodeL1Message, encodeL1Message, type L1Message, nextRollingHash } from '../../base/protocol/l1-message.js'
import type { L1Block, L1Event } from '../../io/l1/l1-client.js'
import { L1Error } from '../../io/l1/l1-error.js'
import type { KeyValueStore, StoreChange } from '../../io/storage/key-value-store.js'

/** A batch that L1 accepted. */
export interface CommittedBatchRecord {
  readonly batchHash: BatchHash
  readonly transactionHash: Hash32
  readonly l1BlockNumber: L1BlockNumber
  readonly absent: bigint
  readonly setId: SetId
}

/** What is true after an L1 block. */
interface BlockRecord {
  readonly block: L1Block
  readonly messageCount: number
  readonly lastCommitted: BatchIndex
  readonly lastFinalized: BatchIndex
}

interface MessageRecord {
  readonly message: L1Message
  readonly rollingHash: Hash32
}

const cachedRecords = 2_048
const headKey = asciiToBytes('l1/head')
const keyOf = (kind: 'h' | 'm' | 'b', number: number) =>
  concatBytes(asciiToBytes(`l1/${kind}/`), uintToBytes(number, 8))

/**
 * The L1 chain as far as it was followed: blocks, messages, batches. Each block says how many messages and batches there are
 * after it, and what lies beyond is not shown: going back to an earlier block is one write.
 */
export class L1View {
  /** What was followed before began elsewhere and is not used: L1 is read from the start block anew. */
  readonly isStartChanged: boolean
  private current: BlockRecord | null = null
  private readonly blocks = new Map<number, BlockRecord>()
  private readonly messageRecords = new Map<number, MessageRecord>()

  constructor(
    private readonly store: KeyValueStore,
    private readonly startBlock: L1BlockNumber,
  ) {
    const stored = store.get(headKey)
    this.isStartChanged = stored !== undefined && store.get(keyOf('h', startBlock)) === undefined
    if (stored && !this.isStartChanged) this.current = this.record(Number(RlpFields.decode(stored, 'L1 head').uint(64)))
  }

  get head(): L1Block | null {
    return this.current?.block ?? null
  }

  get lastCommitted(): BatchIndex {
    return this.current?.lastCommitted ?? 0
  }

  get lastFinalized(): BatchIndex {
    return this.current?.lastFinalized ?? 0
  }

  /** The followed block of a number, or null before the start and beyond the head. */
  block(number: L1BlockNumber): L1Block | null {
    if (!this.current || number < this.startBlock || number > this.current.block.number) return null
    return this.record(number).block
  }

  /** Number of messages in L1 blocks up to and with this one; beyond the head, the number known so far. */
  messageCountAt(number: L1BlockNumber): number {
    if (!this.current || number < this.startBlock) return 0
    return this.record(Math.min(number, this.current.block.number)).messageCount
  }

  messages({ from, upTo, limit }: { from: number; upTo: number; limit: number }): L1Message[] {
    const end = Math.min(upTo, this.current?.messageCount ?? 0, from + limit)
    const found: L1Message[] = []
    for (let index = from; index < end; index++) found.push(this.messageRecord(index).message)
    return found
  }

  /** Rolling hash of the first `count` messages, or null when there are not so many. */
  rollingHashAt(count: number): Hash32 | null {
    if (count === 0) return zeroHash
    if (count < 0 || count > (this.current?.messageCount ?? 0)) return null
    return this.messageRecord(count - 1).rollingHash
  }

  committedBatch(index: BatchIndex): CommittedBatchRecord | null {
    if (index > this.lastCommitted) return null
    const bytes = this.store.get(keyOf('b', index))
    return bytes ? decodeBatch(bytes) : null
  }

  /**
   * Adds blocks that follow the head, with all their events.
   * @throws L1Error L1_BAD_ANSWER when blocks leave a gap, or the events are not those of Morphism's contracts: a gap, or a wrong rolling hash
   */
  async extend(blocks: readonly L1Block[], events: readonly L1Event[]): Promise<void> {
    const changes: StoreChange[] = []
    const records: BlockRecord[] = []
    const added: MessageRecord[] = []
    let { messageCount, lastCommitted, lastFinalized } = this.current ?? {
      messageCount: 0,
      lastCommitted: 0,
      lastFinalized: 0,
    }
    let rollingHash = this.rollingHashAt(messageCount) ?? zeroHash
    let at = 0
    let expected = this.current ? this.current.block.number + 1 : this.startBlock
    for (const block of blocks) {
      if (block.number !== expected++)
        throw badAnswer('L1 gave a block out of its place', { expected: expected - 1, actual: block.number })
      for (; events[at] && eventBlock(events[at]!) === block.number; at++) {
        const event = events[at]!
        if (event.type === 'message') {
          rollingHash = checkedRollingHash(rollingHash, messageCount++, event)
          added.push(event)
          changes.push({ key: keyOf('m', event.message.index), value: encodeMessageRecord(event) })
        } else if (event.type === 'batch-committed') {
          lastCommitted = checkedIndex(lastCommitted, event)
          changes.push({ key: keyOf('b', event.batchIndex), value: encodeBatch(event) })
        } else lastFinalized = event.batchIndex
      }
      const record = { block, messageCount, lastCommitted, lastFinalized }
      records.push(record)
      changes.push({ key: keyOf('h', block.number), value: encodeBlockRecord(record) })
    }
    if (at < events.length) throw badAnswer('L1 gave an event of another block', { event: events[at]?.type })
    const last = records.at(-1)
    if (!last) return
    changes.push({ key: headKey, value: encodeRlp([rlpUint(last.block.number)]) })
    await this.store.write(changes)
    for (const record of added) keep(this.messageRecords, record.message.index, record)
    for (const record of records) keep(this.blocks, record.block.number, record)
    this.current = last
  }

  /** Goes back to an earlier block; null forgets everything. */
  async rewind(to: L1BlockNumber | null): Promise<void> {
    const value = to === null ? undefined : encodeRlp([rlpUint(to)])
    await this.store.write([{ key: headKey, value }])
    this.blocks.clear()
    this.messageRecords.clear()
    this.current = to === null ? null : this.record(to)
  }

  private record(number: L1BlockNumber): BlockRecord {
    const known = this.blocks.get(number)
    if (known) return known
    const bytes = this.store.get(keyOf('h', number))
    invariant(bytes, 'every followed L1 block is stored', { number })
    return keep(this.blocks, number, decodeBlockRecord(bytes))
  }

  private messageRecord(index: number): MessageRecord {
    const known = this.messageRecords.get(index)
    if (known) return known
    const bytes = this.store.get(keyOf('m', index))
    invariant(bytes, 'every L1 message is stored', { index })
    return keep(this.messageRecords, index, decodeMessageRecord(bytes))
  }
}

function keep<Value>(cache: Map<number, Value>, key: number, value: Value): Value {
  cache.delete(key)
  cache.set(key, value)
  if (cache.size > cachedRecords) cache.delete(cache.keys().next().value!)
  return value
}

function eventBlock(event: L1Event): L1BlockNumber {
  return event.type === 'message' ? event.message.l1BlockNumber : event.l1BlockNumber
}

function checkedRollingHash(previous: Hash32, index: number, event: L1Event & { type: 'message' }): Hash32 {
  if (event.message.index !== index)
    throw badAnswer('L1 left out a message', { expected: index, actual: event.message.index })
  const rollingHash = nextRollingHash(previous, event.message)
  if (rollingHash !== event.rollingHash)
    throw badAnswer('the rolling hash of an L1 message is wrong', {
      index,
      expected: rollingHash,
      actual: event.rollingHash,
    })
  return rollingHash
}

function checkedIndex(previous: BatchIndex, { batchIndex }: { batchIndex: BatchIndex }): BatchIndex {
  if (batchIndex !== 0 && batchIndex !== previous + 1)
    throw badAnswer('L1 left out a batch', { expected: previous + 1, actual: batchIndex })
  return batchIndex
}

function badAnswer(message: string, data: Readonly<Record<string, unknown>>): L1Error {
  return new L1Error('L1_BAD_ANSWER', message, data)
}

function encodeBlockRecord({ block, messageCount, lastCommitted, lastFinalized }: BlockRecord): Uint8Array {
  return encodeRlp([
    rlpUint(block.number),
    rlpHex(block.hash),
    rlpHex(block.parentHash),
    rlpUint(block.timestamp),
    rlpUint(messageCount),
    rlpUint(lastCommitted),
    rlpUint(lastFinalized),
  ])
}

function decodeBlockRecord(bytes: Uint8Array): BlockRecord {
  const fields = RlpFields.decode(bytes, 'L1 block record')
  const block = {
    number: fields.safeUint(),
    hash: fields.hash(),
    parentHash: fields.hash(),
    timestamp: fields.safeUint(),
  }
  const record = {
    block,
    messageCount: fields.safeUint(),
    lastCommitted: fields.safeUint(),
    lastFinalized: fields.safeUint(),
  }
  fields.end()
  return record
}

function encodeMessageRecord({ message, rollingHash }: MessageRecord): Uint8Array {
  return encodeRlp([encodeL1Message(message), rlpHex(rollingHash)])
}

function decodeMessageRecord(bytes: Uint8Array): MessageRecord {
  const fields = RlpFields.decode(bytes, 'L1 message record')
  const record = { message: decodeL1Message(fields.bytes()), rollingHash: fields.hash() }
  fields.end()
  return record
}

function encodeBatch({ batchHash, transactionHash, l1BlockNumber, absent, setId }: CommittedBatchRecord): Uint8Array {
  return encodeRlp([
    rlpHex(batchHash),
    rlpHex(transactionHash),
    rlpUint(l1BlockNumber),
    rlpUint(absent),
    rlpUint(setId),
  ])
}

function decodeBatch(bytes: Uint8Array): CommittedBatchRecord {
  const fields = RlpFields.decode(bytes, 'committed batch record')
  const record = {
    batchHash: fields.hash(),
    transactionHash: fields.hash(),
    l1BlockNumber: fields.safeUint(),
    absent: fields.uint(256),
    setId: fields.safeUint(),
  }
  fields.end()
  return record
}
