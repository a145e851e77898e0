import { keccak256Hex } from '../../../../base/crypto/keccak.js'
import { invariant } from '../../../../base/primitives/invariant.js'
import type { Height } from '../../../../base/primitives/quantities.js'
import type { Block } from '../../../../base/protocol/block.js'
import { ExecutionRpcError, rpcErrorCodes } from '../../execution-rpc-error.js'
import type { ChainReader } from '../reading.js'
import { latestBlock, resolveHeight } from './block-selector.js'
import { bloomTest, type LogFilter, matchesFilter, readLogFilter } from './log-filter.js'
import type { QueryMethods } from './query-method.js'
import { type LogJson, logToJson } from './receipt-json.js'
import { invalidParams, serverError } from './rpc-argument.js'

/** Bounds of one eth_getLogs. */
export interface LogLimits {
  readonly maxBlocks: number
  readonly maxResults: number
  /** Bytes of data in all logs of the answer: more than one block can hold. */
  readonly maxDataBytes: number
}

interface Answer {
  readonly logs: LogJson[]
  dataBytes: number
}

/** eth_getLogs; `checkTime` is called at each block, and throws to end the query. */
export function logQueries({
  chain,
  limits,
  checkTime,
}: {
  chain: ChainReader
  limits: LogLimits
  checkTime: () => void
}): QueryMethods {
  const limitExceeded = (message: string) => new ExecutionRpcError({ code: rpcErrorCodes.limitExceeded, message })

  const collect = (height: Height, filter: LogFilter, into: Answer) => {
    const receipts = chain.receiptsAt(height)
    invariant(receipts, 'a canonical block has its receipts', { height })
    let block: Block | null = null
    let logIndex = 0
    receipts.forEach((receipt, transactionIndex) => {
      let transactionHash: `0x${string}` | undefined
      for (const log of receipt.logs) {
        const index = logIndex++
        if (!matchesFilter(filter, log)) continue
        if (into.logs.length >= limits.maxResults)
          throw limitExceeded(`query returned more than ${limits.maxResults} results`)
        into.dataBytes += log.data.length
        if (into.dataBytes > limits.maxDataBytes)
          throw limitExceeded(`query returned more than ${limits.maxDataBytes} bytes of log data`)
        block ??= chain.blockAt(height)
        invariant(block, 'a canonical block has its body', { height })
        transactionHash ??= keccak256Hex(block.transactions[transactionIndex]!)
        const { header, hash: blockHash } = block
        into.logs.push(logToJson(log, { header, blockHash, transactionHash, transactionIndex, logIndex: index }))
      }
    })
  }

  const range = (filter: LogFilter): { first: Height; last: Height } => {
    if (filter.blockHash) {
      const height = chain.heightOf(filter.blockHash)
      if (height === null) throw serverError('unknown block')
      return { first: height, last: height }
    }
    const first = resolveHeight(chain, filter.fromBlock ?? latestBlock) ?? 0
    const last = resolveHeight(chain, filter.toBlock ?? latestBlock) ?? 0
    if (first > last) throw invalidParams('invalid block range params')
    const end = Math.min(last, chain.heads().head.number)
    if (end - first >= limits.maxBlocks)
      throw limitExceeded(`block range is too wide: ${end - first + 1} blocks, want at most ${limits.maxBlocks}`)
    return { first, last: end }
  }

  return {
    eth_getLogs(args) {
      const filter = args.required(readLogFilter)
      args.end()
      const { first, last } = range(filter)
      const mayMatch = bloomTest(filter)
      const answer: Answer = { logs: [], dataBytes: 0 }
      for (let height = first; height <= last; height++) {
        checkTime()
        const bloom = chain.logsBloomAt(height)
        if (bloom && mayMatch(bloom)) collect(height, filter, answer)
      }
      return answer.logs
    },
  }
}
