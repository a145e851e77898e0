import { DecodeError } from '../../../../base/encoding/decode-error.js'
import { encodeRlp } from '../../../../base/encoding/rlp.js'
import { RlpFields, rlpHex, rlpUint } from '../../../../base/encoding/rlp-fields.js'
import { type Hex, hexToBytes } from '../../../../base/primitives/bytes.js'
import type { BlockHash, TransactionHash } from '../../../../base/primitives/hashes.js'
import type { Height } from '../../../../base/primitives/quantities.js'
import type { Block } from '../../../../base/protocol/block.js'
import { type BlockContext, decodeContext, encodeContext } from '../../../../base/protocol/block-context.js'
import {
  type BlockHeader,
  headerFromRlp,
  headerHash,
  headerToRlp,
  logsBloomFromRlp,
} from '../../../../base/protocol/block-header.js'
import { withdrawalFromRlp, withdrawalToRlp } from '../../../../base/protocol/withdrawal.js'
import type { KeyValueStore, StoreChange } from '../../../storage/key-value-store.js'
import { ExecutionError } from '../../execution-error.js'
import type { ChainHeads, ChainReader, StoredOutcome, StoredReceipt } from '../reading.js'
import { encodeAccount } from '../state/account-record.js'
import type { StateDiff } from '../state/state-diff.js'
import { chainKeys } from './chain-keys.js'
import { decodeOutcomes, decodeReceiptAt, decodeReceipts, encodeReceipts } from './stored-receipt.js'

/** A block with everything that its execution produced. */
export interface ExecutedBlock {
  readonly block: Block
  readonly receipts: readonly StoredReceipt[]
  readonly transactionHashes: readonly TransactionHash[]
  readonly state: StateDiff
}

/** Heights of the three labelled blocks. */
export interface HeadHeights {
  readonly head: Height
  readonly safe: Height
  readonly finalized: Height
}

/** The canonical chain in a key-value store: written by one thread, read by any. */
export class ChainStore implements ChainReader {
  constructor(readonly store: KeyValueStore) {}

  heads(): ChainHeads {
    const { head, safe, finalized } = this.headHeights()
    const header = this.headerAt(head)
    if (header === null)
      throw new ExecutionError('STORE_CORRUPT', `the header of the head ${head} is missing`, { head })
    return { head: header, safe, finalized }
  }

  headHeights(): HeadHeights {
    const heights = this.read(chainKeys.heads, 'heads', bytes => {
      const fields = RlpFields.decode(bytes, 'heads')
      return { head: fields.safeUint(), safe: fields.safeUint(), finalized: fields.safeUint() }
    })
    if (heights === null) throw new ExecutionError('STORE_CORRUPT', 'the store holds no chain')
    return heights
  }

  genesisHash(): BlockHash | null {
    return this.read(chainKeys.genesis, 'genesis', bytes => RlpFields.decode(bytes, 'genesis').hash())
  }

  hashAt(height: Height): BlockHash | null {
    return this.headAndContextAt(height)?.hash ?? null
  }

  headerAt(height: Height): BlockHeader | null {
    return this.headAndContextAt(height)?.header ?? null
  }

  contextAt(height: Height): BlockContext | null {
    return this.headAndContextAt(height)?.context ?? null
  }

  logsBloomAt(height: Height): Uint8Array | null {
    return this.read(chainKeys.header(height), `header ${height}`, bytes =>
      logsBloomFromRlp(RlpFields.decode(bytes, 'stored header').item()),
    )
  }

  blockAt(height: Height): Block | null {
    const top = this.headAndContextAt(height)
    if (top === null) return null
    const body = this.read(chainKeys.body(height), `body ${height}`, bytes => {
      const fields = RlpFields.decode(bytes, 'body', { maxItems: Number.POSITIVE_INFINITY })
      return {
        transactions: fields.items() as readonly Uint8Array[],
        withdrawals: fields.items().map(withdrawalFromRlp),
      }
    })
    if (body === null) throw new ExecutionError('STORE_CORRUPT', `the body of block ${height} is missing`, { height })
    return { ...top, ...body }
  }

  heightOf(hash: BlockHash): Height | null {
    return this.read(chainKeys.height(hash), 'height', bytes => RlpFields.decode(bytes, 'height').safeUint())
  }

  receiptsAt(height: Height): readonly StoredReceipt[] | null {
    return this.read(chainKeys.receipts(height), `receipts ${height}`, decodeReceipts)
  }

  outcomesAt(height: Height): readonly StoredOutcome[] | null {
    return this.read(chainKeys.receipts(height), `receipts ${height}`, decodeOutcomes)
  }

  receiptAt(height: Height, index: number): ReturnType<typeof decodeReceiptAt> {
    return this.read(chainKeys.receipts(height), `receipts ${height}`, bytes => decodeReceiptAt(bytes, index))
  }

  transactionPosition(hash: TransactionHash): { readonly height: Height; readonly index: number } | null {
    return this.read(chainKeys.transaction(hash), 'position', bytes => {
      const fields = RlpFields.decode(bytes, 'position')
      return { height: fields.safeUint(), index: fields.safeUint() }
    })
  }

  /** Stores blocks, children after parents, their states and the heads: all or nothing, and survives power loss. */
  async write(blocks: readonly ExecutedBlock[], heads: HeadHeights): Promise<void> {
    const changes: StoreChange[] = []
    for (const block of blocks) {
      blockChanges(block, changes)
      stateChanges(block.state, changes)
    }
    if (blocks[0]?.block.header.number === 0)
      changes.push({ key: chainKeys.genesis, value: encodeRlp([rlpHex(blocks[0].block.hash)]) })
    changes.push({
      key: chainKeys.heads,
      value: encodeRlp([rlpUint(heads.head), rlpUint(heads.safe), rlpUint(heads.finalized)]),
    })
    await this.store.write(changes, { sync: true })
  }

  private headAndContextAt(
    height: Height,
  ): { readonly hash: BlockHash; readonly header: BlockHeader; readonly context: BlockContext } | null {
    return this.read(chainKeys.header(height), `header ${height}`, bytes => {
      const fields = RlpFields.decode(bytes, 'stored header')
      const header = headerFromRlp(fields.item())
      return { hash: headerHash(header), header, context: decodeContext(fields.bytes()) }
    })
  }

  private read<Value>(key: Uint8Array, what: string, decode: (bytes: Uint8Array) => Value): Value | null {
    const bytes = this.store.get(key)
    if (bytes === undefined) return null
    try {
      return decode(bytes)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      throw new ExecutionError('STORE_CORRUPT', `stored ${what} cannot be read: ${error.message}`, {}, { cause: error })
    }
  }
}

function blockChanges({ block, receipts, transactionHashes }: ExecutedBlock, changes: StoreChange[]): void {
  const height = block.header.number
  const top = encodeRlp([headerToRlp(block.header), encodeContext(block.context)])
  const body = encodeRlp([block.transactions, block.withdrawals.map(withdrawalToRlp)])
  changes.push(
    { key: chainKeys.header(height), value: top },
    { key: chainKeys.body(height), value: body },
    { key: chainKeys.receipts(height), value: encodeReceipts(receipts) },
    { key: chainKeys.height(block.hash), value: encodeRlp([rlpUint(height)]) },
  )
  transactionHashes.forEach((hash, index) => {
    changes.push({ key: chainKeys.transaction(hash), value: encodeRlp([rlpUint(height), rlpUint(index)]) })
  })
}

function stateChanges({ changes: { accounts, slots, codes }, newNodes }: StateDiff, changes: StoreChange[]): void {
  for (const [address, account] of accounts)
    changes.push({ key: chainKeys.account(address), value: account === null ? undefined : encodeAccount(account) })
  for (const [address, words] of slots)
    for (const [slot, value] of words)
      changes.push({ key: chainKeys.slot(address, slot), value: value.length === 0 ? undefined : value })
  for (const [hash, code] of codes) changes.push({ key: chainKeys.code(hexToBytes(hash as Hex)), value: code })
  for (const { hash, encoded } of newNodes) changes.push({ key: chainKeys.node(hash), value: encoded })
}
