import { keccak256Hex } from '../../base/crypto/keccak.js'
import { concatBytes, hexToBytes, uintToBytes } from '../../base/primitives/bytes.js'
import type { Address } from '../../base/primitives/hashes.js'
import type { AccountState, HeadChange } from '../../io/execution/execution-client.js'
import type { Peer } from '../../io/network/peer-network.js'
import type { RecoveredTransaction } from '../../io/recovery/sender-recovery.js'
import { defaultMempoolConfig, type MempoolConfig } from './mempool.js'
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
  onMessage(_channel: string, handler: (from: Peer, message: Uint8Array) => void): void {
    this.handler = handler
  }
  onConnect(handler: (peer: Peer) => void): void {
    this.connectHandler = handler
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
