import { keccak256Hex } from '../../../../base/crypto/keccak.js'
import { encodeRlp } from '../../../../base/encoding/rlp.js'
import type { Hex } from '../../../../base/primitives/bytes.js'
import type { Address, BlockHash } from '../../../../base/primitives/hashes.js'
import type { Block } from '../../../../base/protocol/block.js'
import { type BlockHeader, emptyOmmersHash, headerToRlp } from '../../../../base/protocol/block-header.js'
import { decodeTransaction } from '../../../../base/protocol/transaction.js'
import { type Withdrawal, withdrawalToRlp } from '../../../../base/protocol/withdrawal.js'
import { toQuantity } from './hex-arguments.js'
import { transactionToJson } from './transaction-json.js'

const zeroNonce: Hex = '0x0000000000000000'

/** A header in the form of the newHeads subscription. */
export function headerToJson(hash: BlockHash, header: BlockHeader): Record<string, unknown> {
  return {
    baseFeePerGas: toQuantity(header.baseFeePerGas),
    blobGasUsed: '0x0',
    difficulty: '0x0',
    excessBlobGas: '0x0',
    extraData: '0x',
    gasLimit: toQuantity(header.gasLimit),
    gasUsed: toQuantity(header.gasUsed),
    hash,
    logsBloom: header.logsBloom,
    miner: header.feeRecipient,
    mixHash: header.prevRandao,
    nonce: zeroNonce,
    number: toQuantity(header.number),
    parentBeaconBlockRoot: header.parentBeaconBlockRoot,
    parentHash: header.parentHash,
    receiptsRoot: header.receiptsRoot,
    requestsHash: header.requestsHash,
    sha3Uncles: emptyOmmersHash,
    stateRoot: header.stateRoot,
    timestamp: toQuantity(header.timestamp),
    transactionsRoot: header.transactionsRoot,
    withdrawalsRoot: header.withdrawalsRoot,
  }
}

/** A block in the form of eth_getBlockByNumber; with `senders` (one per transaction) the transactions are whole, else hashes. */
export function blockToJson(block: Block, senders?: readonly Address[]): Record<string, unknown> {
  const { hash, header } = block
  return {
    ...headerToJson(hash, header),
    size: toQuantity(blockSize(block)),
    transactions: block.transactions.map((raw, index) =>
      senders
        ? transactionToJson({
            transaction: decodeTransaction(raw),
            sender: senders[index]!,
            place: { blockHash: hash, header, index },
          })
        : keccak256Hex(raw),
    ),
    uncles: [],
    withdrawals: block.withdrawals.map(withdrawalToJson),
  }
}

function withdrawalToJson({ index, validatorIndex, address, amount }: Withdrawal): Record<string, Hex> {
  return {
    index: toQuantity(index),
    validatorIndex: toQuantity(validatorIndex),
    address,
    amount: toQuantity(amount),
  }
}

/** Bytes of the block's RLP form in Ethereum: header, transactions, no ommers, withdrawals. */
function blockSize({ header, transactions, withdrawals }: Block): number {
  let body = 0
  // A legacy transaction is an RLP list itself; a typed one is wrapped into a byte string.
  for (const raw of transactions) body += raw[0]! >= 0xc0 ? raw.length : itemLength(raw.length)
  const headerLength = encodeRlp(headerToRlp(header)).length
  const withdrawalsLength = encodeRlp(withdrawals.map(withdrawalToRlp)).length
  return itemLength(headerLength + itemLength(body) + 1 + withdrawalsLength)
}

function itemLength(payload: number): number {
  if (payload < 56) return payload + 1
  let prefix = 1
  for (let rest = payload; rest > 0; rest = Math.floor(rest / 256)) prefix++
  return prefix + payload
}
