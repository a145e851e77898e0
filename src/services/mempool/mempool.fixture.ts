import { keccak256Hex } from '../../base/crypto/keccak.js'
import { concatBytes, hexToBytes, uintToBytes } from '../../base/primitives/bytes.js'
import type { Address } from '../../base/primitives/hashes.js'
import type { AccountState, HeadChange } from '../../io/execution/execution-client.js'
import type { Peer } from '../../io/network/peer-network.js'
import { createInlineRecovery } from '../../io/recovery/inline-recovery.js'
import type { RecoveredTransaction } from '../../io/recovery/sender-recovery.js'
import { signedTransfer, type TransferFields } from '../../io/recovery/signed-transfer.fixture.js'
import { MemoryLog } from '../../io/storage/memory-log.js'
import { silentLogger } from '../../io/telemetry/logger.js'
import { silentMetrics } from '../../io/telemetry/metrics.js'
import { VirtualClock } from '../../io/time/virtual-clock.js'
import { createMempool } from './create-mempool.js'
import { defaultMempoolConfig, type Mempool, type MempoolConfig, type MempoolPorts } from './mempool.js'
import { encodeTransactionBatch } from './transaction-batch.js'
import type { GossipNetwork } from './transaction-gossip.js'

export const testConfig: MempoolConfig = {
  ...defaultMempoolConfig,
  chainId: 7n,
  blockGasLimit: 30_000_000,
  baseFeePerGas: 0n,
}

export const senderOf = (account: number): Address => `0x${(account + 1).toString(16).padStart(40, '0')}` as Address

export const rich: AccountState = { nonce: 0, balance: 10n ** 24n, hasCode: false }

export interface RecoveredFields {
  readonly account: number
  readonly nonce: number
  readonly fee?: number
  readonly tip?: number
  readonly value?: bigint
  readonly bytes?: number
  readonly gasLimit?: number
}

/** A recovered transaction without a signature: the pool itself never looks for one. */
export function recoveredTransfer(fields: RecoveredFields): RecoveredTransaction {
  const { account, nonce, fee = 100, tip = 10, value = 0n, bytes = 110, gasLimit = 21_000 } = fields
  const sender = senderOf(account)
  const seed = concatBytes(hexToBytes(sender), ...[nonce, fee, tip, value].map(number => uintToBytes(number, 16)))
  const hash = keccak256Hex(seed)
  return {
    refusal: null,
    raw: concatBytes(new Uint8Array(bytes - 32), hexToBytes(hash)),
    hash,
    sender,
    type: 2,
    chainId: 7n,
    nonce,
    gasLimit,
    maxFeePerGas: BigInt(fee),
    maxPriorityFeePerGas: BigInt(tip),
    value,
    cost: BigInt(fee) * BigInt(gasLimit) + value,
    to: senderOf(999),
    dataLength: 0,
    zeroDataBytes: 0,
    accessListAddresses: 0,
    accessListKeys: 0,
    authorizations: 0,
  }
}

/** A head as far as the pool reads it; the block was half full, so that its base fee is the next one's too. */
export function headOf(touched: HeadChange['touched'], baseFee = 0n): HeadChange {
  const header = { baseFeePerGas: baseFee, gasLimit: 30_000_000, gasUsed: 15_000_000 }
  return { block: { header }, touched, logs: [] } as unknown as HeadChange
}

/** One node's network: what it sends is recorded, what it receives is called. */
export class FakeNetwork implements GossipNetwork {
  readonly connected: Peer[] = []
  readonly sent: { to: string; message: Uint8Array }[] = []
  readonly dropped: { peer: string; reason: string }[] = []
  private handler: (from: Peer, message: Uint8Array) => void = () => {}
  private connectHandler: (peer: Peer) => void = () => {}

  peers(): readonly Peer[] {
    return this.connected
  }
  send(peer: string, _channel: string, message: Uint8Array): void {
    this.sent.push({ to: peer, message })
  }
  onMessage(_channel: string, handler: (from: Peer, message: Uint8Array) => void): () => void {
    this.handler = handler
    return () => {}
  }
  onConnect(handler: (peer: Peer) => void): () => void {
    this.connectHandler = handler
    return () => {}
  }
  drop(peer: string, { reason }: { reason: string }): void {
    this.dropped.push({ peer, reason })
  }

  connect(peer: Peer): void {
    this.connected.push(peer)
    this.connectHandler(peer)
  }
  deliver(from: Peer, message: Uint8Array): void {
    this.handler(from, message)
  }
}

export const sequencers: Peer[] = ['s0', 's1', 's2'].map(id => ({ id, consensusKey: null }))
export const fullNode: Peer = { id: 'f0', consensusKey: null }
const isSequencerPeer = (peer: Peer) => peer.id.startsWith('s')

const opened: Mempool[] = []

/** Ends what `open` opened; after each test. */
export async function closeAll(): Promise<void> {
  for (const mempool of opened.splice(0)) await mempool[Symbol.asyncDispose]()
}

/** A full node's pool without waiting times, on twins of its ports; every account is rich. */
export async function open(options: { config?: Partial<MempoolConfig>; ports?: Partial<MempoolPorts> } = {}) {
  const network = new FakeNetwork()
  const clock = new VirtualClock(1_000)
  const journal = new MemoryLog()
  const mempool = await createMempool({
    config: { ...testConfig, coalesceMs: 0, journalIntervalMs: 0, gossipIntervalMs: 0, ...options.config },
    ports: {
      recovery: createInlineRecovery(),
      accounts: { accounts: async addresses => addresses.map(() => rich) },
      network,
      journal,
      clock,
      logger: silentLogger,
      metrics: silentMetrics,
      isSequencer: false,
      isSequencerPeer,
      ...options.ports,
    },
  })
  opened.push(mempool)
  return { mempool, network, clock, journal }
}

export const raw = (nonce: number, fields: Partial<TransferFields> = {}) =>
  signedTransfer({ account: 0, nonce, ...fields })
export const batchOf = (transactions: readonly Uint8Array[], relay = false) =>
  encodeTransactionBatch({ relay, transactions })

/** Lets everything that needs no clock happen. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 40; turn++) await new Promise(resolve => setImmediate(resolve))
}
