import { bytesToHex } from '../../../../base/primitives/bytes.js'
import type { TransactionHash } from '../../../../base/primitives/hashes.js'
import { invariant } from '../../../../base/primitives/invariant.js'
import type { Height } from '../../../../base/primitives/quantities.js'
import type { Block } from '../../../../base/protocol/block.js'
import { decodeTransaction } from '../../../../base/protocol/transaction.js'
import type { ChainReader, StoredOutcome } from '../reading.js'
import { blockToJson } from './block-json.js'
import { type BlockSelector, readBlockNumber, readBlockNumberOrHash, resolveHeight } from './block-selector.js'
import { readHash, readUint64, toQuantity } from './hex-arguments.js'
import type { QueryMethods } from './query-method.js'
import { receiptToJson } from './receipt-json.js'
import { type ArgumentReader, type RpcArguments, readBoolean } from './rpc-argument.js'
import { transactionToJson } from './transaction-json.js'

const readBlockHash: ArgumentReader<BlockSelector> = value => ({ by: 'hash', hash: readHash(value) })

/** Blocks, transactions and receipts; what is not known is null. */
export function blockQueries({ chain }: { chain: ChainReader }): QueryMethods {
  const blockOf = (selector: BlockSelector): Block | null => {
    const height = resolveHeight(chain, selector)
    return height === null ? null : chain.blockAt(height)
  }
  const outcomesOf = (height: Height): readonly StoredOutcome[] => {
    const outcomes = chain.outcomesAt(height)
    invariant(outcomes, 'a canonical block has its receipts', { height })
    return outcomes
  }
  const transactionIn = (block: Block | null, index: number) => {
    const raw = block?.transactions[index]
    if (!block || !raw) return null
    const { hash: blockHash, header } = block
    const { sender } = outcomesOf(header.number)[index]!
    return transactionToJson({ transaction: decodeTransaction(raw), sender, place: { blockHash, header, index } })
  }
  const located = (hash: TransactionHash) => {
    const position = chain.transactionPosition(hash)
    const block = position && chain.blockAt(position.height)
    return block ? { block, index: position.index } : null
  }

  const getBlock = (read: ArgumentReader<BlockSelector>) => (args: RpcArguments) => {
    const selector = args.required(read)
    const isWhole = args.required(readBoolean)
    args.end()
    const block = blockOf(selector)
    if (!block) return null
    return blockToJson(block, isWhole ? outcomesOf(block.header.number).map(({ sender }) => sender) : undefined)
  }
  const ofBlock =
    (read: ArgumentReader<BlockSelector>, answer: (block: Block) => unknown) =>
    (args: RpcArguments): unknown => {
      const selector = args.required(read)
      args.end()
      const block = blockOf(selector)
      return block && answer(block)
    }
  const byIndex =
    (read: ArgumentReader<BlockSelector>, answer: (block: Block | null, index: number) => unknown) =>
    (args: RpcArguments): unknown => {
      const selector = args.required(read)
      const index = Number(args.required(readUint64))
      args.end()
      return answer(blockOf(selector), index)
    }
  const countTransactions = (block: Block) => toQuantity(block.transactions.length)
  const countUncles = () => '0x0'
  const noUncle = () => null
  const rawTransactionIn = (block: Block | null, index: number) => {
    const raw = block?.transactions[index]
    return raw ? bytesToHex(raw) : null
  }

  return {
    eth_getBlockByNumber: getBlock(readBlockNumber),
    eth_getBlockByHash: getBlock(readBlockHash),
    eth_getBlockTransactionCountByNumber: ofBlock(readBlockNumber, countTransactions),
    eth_getBlockTransactionCountByHash: ofBlock(readBlockHash, countTransactions),
    eth_getUncleCountByBlockNumber: ofBlock(readBlockNumber, countUncles),
    eth_getUncleCountByBlockHash: ofBlock(readBlockHash, countUncles),
    eth_getUncleByBlockNumberAndIndex: byIndex(readBlockNumber, noUncle),
    eth_getUncleByBlockHashAndIndex: byIndex(readBlockHash, noUncle),
    eth_getTransactionByBlockNumberAndIndex: byIndex(readBlockNumber, transactionIn),
    eth_getTransactionByBlockHashAndIndex: byIndex(readBlockHash, transactionIn),
    eth_getRawTransactionByBlockNumberAndIndex: byIndex(readBlockNumber, rawTransactionIn),
    eth_getRawTransactionByBlockHashAndIndex: byIndex(readBlockHash, rawTransactionIn),
    eth_getBlockReceipts: ofBlock(readBlockNumberOrHash, block => allReceipts(chain, block)),

    eth_getTransactionByHash(args) {
      const hash = args.required(readHash)
      args.end()
      const found = located(hash)
      return found && transactionIn(found.block, found.index)
    },
    eth_getRawTransactionByHash(args) {
      const hash = args.required(readHash)
      args.end()
      const found = located(hash)
      return found && rawTransactionIn(found.block, found.index)
    },
    eth_getTransactionReceipt(args) {
      const hash = args.required(readHash)
      args.end()
      const found = located(hash)
      return found && oneReceipt(chain, found.block, found.index)
    },
  }
}

function oneReceipt(chain: ChainReader, { hash: blockHash, header, transactions }: Block, index: number) {
  const found = chain.receiptAt(header.number, index)
  const raw = transactions[index]
  invariant(found && raw, 'a transaction has its receipt', { height: header.number, index })
  return receiptToJson({ ...found, transaction: decodeTransaction(raw), header, blockHash, index })
}

function allReceipts(chain: ChainReader, { hash: blockHash, header, transactions }: Block) {
  const receipts = chain.receiptsAt(header.number)
  invariant(receipts, 'a canonical block has its receipts', { height: header.number })
  let firstLogIndex = 0
  return receipts.map((receipt, index) => {
    const transaction = decodeTransaction(transactions[index]!)
    const json = receiptToJson({ receipt, transaction, header, blockHash, index, firstLogIndex })
    firstLogIndex += receipt.logs.length
    return json
  })
}
