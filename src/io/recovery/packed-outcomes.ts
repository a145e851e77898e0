import type { Address, TransactionHash } from '../../base/primitives/hashes.js'
import type { Wei } from '../../base/primitives/quantities.js'
import type { Transaction, TransactionType } from '../../base/protocol/transaction.js'
import type { RecoveredTransaction, RecoveryOutcome, RecoveryRefusal } from './sender-recovery.js'

// One record per transaction, numbers little-endian, 256-bit integers as four words with the lowest first, hex as text:
// text is what the main thread needs, and copying it is cheaper there than making it.
const at = {
  status: 0,
  type: 1,
  hasTo: 2,
  hasChainId: 3,
  dataLength: 4,
  nonce: 8,
  gasLimit: 16,
  zeroDataBytes: 24,
  accessListAddresses: 28,
  accessListKeys: 32,
  authorizations: 36,
  chainId: 40,
  maxFeePerGas: 72,
  maxPriorityFeePerGas: 104,
  value: 136,
  cost: 168,
  hash: 200,
  sender: 266,
  to: 308,
} as const
const stride = 352
const hashLength = 66
const addressLength = 42
const maxUint256 = (1n << 256n) - 1n

/** What a worker answers: a record per transaction and, apart, the few that were refused. */
export interface PackedOutcomes {
  readonly records: ArrayBuffer
  readonly refusals: readonly { readonly index: number; readonly refusal: RecoveryRefusal }[]
}

/** Writes the outcomes of one batch. */
export class OutcomeWriter {
  private readonly records: ArrayBuffer
  private readonly view: DataView
  private readonly text: Buffer
  private readonly refusals: { index: number; refusal: RecoveryRefusal }[] = []

  constructor(count: number) {
    this.records = new ArrayBuffer(count * stride)
    this.view = new DataView(this.records)
    this.text = Buffer.from(this.records)
  }

  refuse(index: number, refusal: RecoveryRefusal): void {
    this.refusals.push({ index, refusal })
  }

  accept(index: number, transaction: Transaction, sender: Address): void {
    const { view, text } = this
    const base = index * stride
    view.setUint8(base + at.status, 1)
    view.setUint8(base + at.type, transaction.type)
    view.setUint32(base + at.dataLength, transaction.data.length, true)
    view.setFloat64(base + at.nonce, transaction.nonce, true)
    view.setFloat64(base + at.gasLimit, Number(transaction.gasLimit), true)
    view.setUint32(base + at.zeroDataBytes, countZeros(transaction.data), true)
    view.setUint32(base + at.accessListAddresses, transaction.accessList.length, true)
    let keys = 0
    for (const entry of transaction.accessList) keys += entry.storageKeys.length
    view.setUint32(base + at.accessListKeys, keys, true)
    view.setUint32(base + at.authorizations, transaction.authorizations.length, true)
    if (transaction.chainId !== null) {
      view.setUint8(base + at.hasChainId, 1)
      this.uint256(base + at.chainId, transaction.chainId)
    }
    this.uint256(base + at.maxFeePerGas, transaction.maxFeePerGas)
    this.uint256(base + at.maxPriorityFeePerGas, transaction.maxPriorityFeePerGas)
    this.uint256(base + at.value, transaction.value)
    const cost = transaction.gasLimit * transaction.maxFeePerGas + transaction.value
    this.uint256(base + at.cost, cost > maxUint256 ? maxUint256 : cost)
    text.write(transaction.hash, base + at.hash, hashLength, 'latin1')
    text.write(sender, base + at.sender, addressLength, 'latin1')
    if (transaction.to !== null) {
      view.setUint8(base + at.hasTo, 1)
      text.write(transaction.to, base + at.to, addressLength, 'latin1')
    }
  }

  finish(): PackedOutcomes {
    return { records: this.records, refusals: this.refusals }
  }

  private uint256(offset: number, value: bigint): void {
    let rest = value
    for (let word = 0; rest > 0n; word += 8) {
      this.view.setBigUint64(offset + word, rest, true)
      rest >>= 64n
    }
  }
}

/** Outcomes as objects that read their fields when asked; each keeps the whole batch's records alive. */
export function readOutcomes(packed: PackedOutcomes, transactions: readonly Uint8Array[]): RecoveryOutcome[] {
  const view = new DataView(packed.records)
  const text = Buffer.from(packed.records)
  const outcomes: RecoveryOutcome[] = new Array(transactions.length)
  for (const { index, refusal } of packed.refusals) outcomes[index] = refusal
  for (let i = 0; i < transactions.length; i++)
    if (outcomes[i] === undefined) outcomes[i] = new PackedTransaction(transactions[i]!, view, text, i * stride)
  return outcomes
}

class PackedTransaction implements RecoveredTransaction {
  readonly refusal = null
  constructor(
    readonly raw: Uint8Array,
    private readonly view: DataView,
    private readonly text: Buffer,
    private readonly base: number,
  ) {}

  get hash(): TransactionHash {
    return this.hex(at.hash, hashLength)
  }
  get sender(): Address {
    return this.hex(at.sender, addressLength)
  }
  get type(): TransactionType {
    return this.view.getUint8(this.base + at.type) as TransactionType
  }
  get chainId(): bigint | null {
    return this.view.getUint8(this.base + at.hasChainId) ? this.uint256(at.chainId) : null
  }
  get nonce(): number {
    return this.view.getFloat64(this.base + at.nonce, true)
  }
  get gasLimit(): number {
    return this.view.getFloat64(this.base + at.gasLimit, true)
  }
  get maxFeePerGas(): Wei {
    return this.uint256(at.maxFeePerGas)
  }
  get maxPriorityFeePerGas(): Wei {
    return this.uint256(at.maxPriorityFeePerGas)
  }
  get value(): Wei {
    return this.uint256(at.value)
  }
  get cost(): Wei {
    return this.uint256(at.cost)
  }
  get to(): Address | null {
    return this.view.getUint8(this.base + at.hasTo) ? this.hex(at.to, addressLength) : null
  }
  get dataLength(): number {
    return this.view.getUint32(this.base + at.dataLength, true)
  }
  get zeroDataBytes(): number {
    return this.view.getUint32(this.base + at.zeroDataBytes, true)
  }
  get accessListAddresses(): number {
    return this.view.getUint32(this.base + at.accessListAddresses, true)
  }
  get accessListKeys(): number {
    return this.view.getUint32(this.base + at.accessListKeys, true)
  }
  get authorizations(): number {
    return this.view.getUint32(this.base + at.authorizations, true)
  }

  private hex(field: number, length: number): `0x${string}` {
    const start = this.base + field
    return this.text.toString('latin1', start, start + length) as `0x${string}`
  }

  private uint256(field: number): bigint {
    const { view } = this
    const start = this.base + field
    const low = view.getBigUint64(start, true)
    // Nearly every amount fits the lowest word; looking at the others as halves allocates nothing.
    let high = 0
    for (let half = 8; half < 32; half += 4) high |= view.getUint32(start + half, true)
    if (high === 0) return low
    const upper = (view.getBigUint64(start + 24, true) << 64n) | view.getBigUint64(start + 16, true)
    return (upper << 128n) | (view.getBigUint64(start + 8, true) << 64n) | low
  }
}

function countZeros(data: Uint8Array): number {
  let zeros = 0
  for (let i = 0; i < data.length; i++) if (data[i] === 0) zeros++
  return zeros
}
