import { BaseError, decodeFunctionData, numberToHex, type PublicClient, TransactionNotFoundError } from 'viem'
import { blsPublicKeyFromEip2537, blsSignatureFromEip2537 } from '../../../base/crypto/bls.js'
import { type Hex, hexToBytes } from '../../../base/primitives/bytes.js'
import type { Address, Hash32 } from '../../../base/primitives/hashes.js'
import type { BatchIndex, L1BlockNumber, SetId } from '../../../base/primitives/quantities.js'
import { makeSequencerSet, type SequencerSet } from '../../../base/protocol/sequencer-set.js'
import type { Kzg } from '../../kzg/kzg.js'
import { registryAbi, rollupAbi } from '../contract-abis.js'
import { refusalOf } from '../contract-refusal.js'
import type { CommittedBatch, L1Block, L1Event, L1Reader } from '../l1-client.js'
import { L1Error } from '../l1-error.js'
import { boundedFetch } from '../rpc/bounded-fetch.js'
import { createL1Rpc, type L1Endpoint } from '../rpc/l1-rpc.js'
import { toL1Error } from '../rpc/viem-error.js'
import { readBlock } from './l1-answer.js'
import { followedTopics, readEvents } from './l1-event-answer.js'

/** Where Morphism's contracts are on L1. */
export interface L1Contracts {
  readonly rollup: Address
  readonly messageQueue: Address
  readonly registry: Address
}

export interface ViemL1ReaderConfig extends L1Endpoint {
  readonly contracts: L1Contracts
  /** Base of the beacon API that serves blobs; the RPC's own address unless told (anvil). */
  readonly blobUrl?: string
  /** How a beacon node numbers blocks; without it blobs are asked for by L1 block number (anvil). */
  readonly beaconSlots?: { readonly genesisTimeSec: number; readonly slotSec: number }
  /** Most blocks per eth_getLogs; 1,000 unless told. */
  readonly maxLogBlocks?: number
}

export interface ViemL1ReaderPorts {
  /** Names the blobs that come back; 50 ms each, off the main thread. */
  readonly kzg: Pick<Kzg, 'commitment'>
}

const blobLength = 131_072
/** Blocks below the end of a range that the nodes behind one endpoint may not all have. */
const newestBlocks = 4
/** Room for the JSON of the most blobs that a block can hold. */
const maxBlobAnswerBytes = 32 * (2 * blobLength + 64)

/** Reads L1 over JSON-RPC (viem) and blobs over the beacon API's `/eth/v1/beacon/blobs`. */
export function createViemL1Reader({
  config,
  ports,
}: {
  config: ViemL1ReaderConfig
  ports: ViemL1ReaderPorts
}): L1Reader {
  return new ViemL1Reader(config, ports)
}

class ViemL1Reader implements L1Reader {
  private readonly client: PublicClient
  private readonly fetchBlobs = boundedFetch(maxBlobAnswerBytes)

  constructor(
    private readonly config: ViemL1ReaderConfig,
    private readonly ports: ViemL1ReaderPorts,
  ) {
    this.client = createL1Rpc(config)
  }

  head(): Promise<L1Block> {
    return this.attempt('head', async () => readBlock(await this.blockAnswer('latest')))
  }

  finalized(): Promise<L1Block> {
    return this.attempt('finalized', async () => readBlock(await this.blockAnswer('finalized')))
  }

  block(number: L1BlockNumber): Promise<L1Block | null> {
    return this.attempt('block', async () => {
      const answer = await this.blockAnswer(numberToHex(number))
      if (answer === null) return null
      const block = readBlock(answer)
      if (block.number !== number)
        throw new L1Error('L1_BAD_ANSWER', 'L1 gave another block', { asked: number, given: block.number })
      return block
    })
  }

  async events({ from, to }: { from: L1BlockNumber; to: L1BlockNumber }): Promise<L1Event[]> {
    const step = this.config.maxLogBlocks ?? 1_000
    const newest = Math.max(from, to - newestBlocks + 1)
    const events: L1Event[] = []
    for (let first = from; first < newest; first += step)
      events.push(...(await this.eventsOfRange(first, Math.min(newest - 1, first + step - 1))))
    // Asked for together, so that the client can put them into one request.
    const hashes = await Promise.all(range(newest, to).map(number => this.hashOf(number)))
    for (const blockHash of hashes) events.push(...(await this.attempt('events', () => this.logs({ blockHash }))))
    return events
  }

  committedBatch(transactionHash: Hash32): Promise<CommittedBatch | null> {
    return this.attempt('committedBatch', async () => {
      const { rollup } = this.config.contracts
      try {
        const transaction = await this.client.getTransaction({ hash: transactionHash })
        if (transaction.hash !== transactionHash)
          throw new L1Error('L1_BAD_ANSWER', 'L1 gave another transaction', { transactionHash })
        if (transaction.to?.toLowerCase() !== rollup) return null
        return decodeCommitBatch(transaction.input, transaction.blobVersionedHashes ?? [])
      } catch (error) {
        if (error instanceof TransactionNotFoundError) return null
        throw error
      }
    })
  }

  blobs(args: { l1BlockNumber: L1BlockNumber; versionedHashes: readonly Hash32[] }): Promise<Uint8Array[]> {
    return this.attempt('blobs', () => this.blobsOf(args))
  }

  sequencerSet(setId: SetId): Promise<SequencerSet | null> {
    return this.attempt('sequencerSet', async () => {
      const members = await unlessRefused(
        this.client.readContract({
          address: this.config.contracts.registry,
          abi: registryAbi,
          functionName: 'members',
          args: [BigInt(setId)],
        }),
      )
      return members && makeSequencerSet(setId, members.map(toMember))
    })
  }

  lastCommittedBatch(): Promise<BatchIndex> {
    return this.attempt('lastCommittedBatch', async () => Number(await this.rollup('lastCommittedBatch')))
  }

  lastFinalizedBatch(): Promise<BatchIndex> {
    return this.attempt('lastFinalizedBatch', async () => Number(await this.rollup('lastFinalizedBatch')))
  }

  committedAt(batchIndex: BatchIndex): Promise<number | null> {
    return this.attempt('committedAt', async () => {
      const time = await unlessRefused(
        this.client.readContract({
          address: this.config.contracts.rollup,
          abi: rollupAbi,
          functionName: 'commitTimeOf',
          args: [BigInt(batchIndex)],
        }),
      )
      return time === null ? null : Number(time)
    })
  }

  private async attempt<Value>(what: string, request: () => Promise<Value>): Promise<Value> {
    try {
      return await request()
    } catch (error) {
      // What the bounded fetch throws comes inside an error of viem.
      const own = error instanceof BaseError ? error.walk(cause => cause instanceof L1Error) : null
      throw own ?? toL1Error(error, what, this.config.rpcUrl)
    }
  }

  private rollup(functionName: 'lastCommittedBatch' | 'lastFinalizedBatch') {
    return this.client.readContract({ address: this.config.contracts.rollup, abi: rollupAbi, functionName })
  }

  /** What eth_getBlockByNumber answers; only what is used of it is read, for an endpoint may put anything there. */
  private blockAnswer(block: Hex | 'latest' | 'finalized'): Promise<unknown> {
    return this.client.request({ method: 'eth_getBlockByNumber', params: [block, false] })
  }

  /** A service with several nodes behind it may ask one that lacks the block: for events by hash that is an error, by number there are none. */
  private async hashOf(number: L1BlockNumber): Promise<Hash32> {
    const block = await this.block(number)
    if (!block) throw new L1Error('L1_BAD_ANSWER', 'L1 does not have the block whose events are asked for', { number })
    return block.hash
  }

  /** Half the range at a time where an answer is too long, for us or for the endpoint. */
  private async eventsOfRange(from: L1BlockNumber, to: L1BlockNumber): Promise<L1Event[]> {
    try {
      return await this.attempt('events', () => this.logs({ fromBlock: numberToHex(from), toBlock: numberToHex(to) }))
    } catch (error) {
      if (from === to || !(error instanceof L1Error) || error.code !== 'L1_BAD_ANSWER') throw error
      const middle = Math.floor((from + to) / 2)
      return [...(await this.eventsOfRange(from, middle)), ...(await this.eventsOfRange(middle + 1, to))]
    }
  }

  private async logs(blocks: { blockHash: Hex } | { fromBlock: Hex; toBlock: Hex }): Promise<L1Event[]> {
    const { rollup, messageQueue } = this.config.contracts
    const filter = { address: [rollup, messageQueue], topics: [followedTopics], ...blocks }
    return readEvents(await this.client.request({ method: 'eth_getLogs', params: [filter] }))
  }

  private async blobsOf(args: {
    l1BlockNumber: L1BlockNumber
    versionedHashes: readonly Hash32[]
  }): Promise<Uint8Array[]> {
    const { blobUrl = this.config.rpcUrl, requestTimeoutMs = 10_000 } = this.config
    const place = await this.beaconPlace(args.l1BlockNumber)
    const url = `${blobUrl.replace(/\/$/, '')}/eth/v1/beacon/blobs/${place}?versioned_hashes=${args.versionedHashes.join(',')}`
    const response = await this.fetchBlobs(url, { signal: AbortSignal.timeout(requestTimeoutMs) })
    if (!response.ok)
      throw new L1Error('L1_UNREACHABLE', `the blob server of L1 answers ${response.status}`, {
        status: response.status,
      })
    const found = new Map<Hash32, Uint8Array>()
    for (const blob of blobsOfAnswer(await response.json()))
      found.set((await this.ports.kzg.commitment(blob)).versionedHash, blob)
    return args.versionedHashes.map(hash => {
      const blob = found.get(hash)
      if (!blob) throw new L1Error('L1_BAD_ANSWER', 'the blob server of L1 did not give a blob', { hash, ...args })
      return blob
    })
  }

  private async beaconPlace(number: L1BlockNumber): Promise<number> {
    const slots = this.config.beaconSlots
    if (!slots) return number
    const block = await this.block(number)
    if (!block) throw new L1Error('L1_BAD_ANSWER', 'L1 does not have the block of a batch', { number })
    return Math.floor((block.timestamp - slots.genesisTimeSec) / slots.slotSec)
  }
}

const range = (from: number, to: number) => Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i)

/** The answer of a view function, or null when the contract refuses with a named error. */
async function unlessRefused<Value>(answer: Promise<Value>): Promise<Value | null> {
  try {
    return await answer
  } catch (error) {
    const refusal = refusalOf(error)
    if (refusal && refusal.errorName !== 'Reverted') return null
    throw error
  }
}

const lower = (address: string) => address.toLowerCase() as Address

function toMember(member: {
  operator: string
  submitter: string
  feeRecipient: string
  power: bigint
  publicKey: `0x${string}`
}) {
  const publicKey = blsPublicKeyFromEip2537(hexToBytes(member.publicKey))
  if (!publicKey)
    throw new L1Error('L1_BAD_ANSWER', 'a member of a set has no BLS12-381 key', { member: member.operator })
  return {
    operator: lower(member.operator),
    submitter: lower(member.submitter),
    feeRecipient: lower(member.feeRecipient),
    power: member.power,
    publicKey,
  }
}

function decodeCommitBatch(input: `0x${string}`, blobVersionedHashes: readonly Hash32[]): CommittedBatch | null {
  const { functionName, args } = decodeFunctionData({ abi: rollupAbi, data: input })
  if (functionName !== 'commitBatch') return null
  const [header, absent, signature] = args
  return {
    header: {
      ...header,
      batchIndex: Number(header.batchIndex),
      setId: Number(header.setId),
      firstBlock: Number(header.firstBlock),
      lastBlock: Number(header.lastBlock),
      messagesConsumed: Number(header.messagesConsumed),
      timestamp: Number(header.timestamp),
    },
    absent,
    signature: blsSignatureFromEip2537(hexToBytes(signature)),
    blobVersionedHashes,
  }
}

function blobsOfAnswer(answer: unknown): Uint8Array[] {
  const data = (answer as { data?: unknown } | null)?.data
  if (!Array.isArray(data)) throw new L1Error('L1_BAD_ANSWER', 'the blob server of L1 gave no list of blobs')
  return data.map(text => {
    if (typeof text !== 'string' || text.length !== 2 + 2 * blobLength)
      throw new L1Error('L1_BAD_ANSWER', 'the blob server of L1 gave something that is no blob')
    return hexToBytes(text)
  })
}
