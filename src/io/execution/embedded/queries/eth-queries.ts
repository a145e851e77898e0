import type { Wei } from '../../../../base/primitives/quantities.js'
import { ExecutionRpcError, rpcErrorCodes } from '../../execution-rpc-error.js'
import type { CallExecutor, ChainReader, StateReader } from '../reading.js'
import { accountQueries } from './account-queries.js'
import { blockQueries } from './block-queries.js'
import { type CallLimits, callQueries } from './call-queries.js'
import { feeQueries } from './fee-queries.js'
import { toQuantity } from './hex-arguments.js'
import { type LogLimits, logQueries } from './log-queries.js'
import type { QueryMethod, QueryTimer } from './query-method.js'
import { RpcArguments } from './rpc-argument.js'

/** Answers the read-only `eth_` methods of an embedded chain. */
export interface EthQueries {
  /** The JSON value of the answer. @throws ExecutionRpcError with geth's codes and texts */
  request(method: string, params: readonly unknown[], signal?: AbortSignal): Promise<unknown>
}

/** Bounds of single queries. */
export type QueryLimits = CallLimits & LogLimits

const defaultLimits: QueryLimits = {
  callGas: 50_000_000,
  maxBlocks: 100_000,
  maxResults: 10_000,
  maxDataBytes: 8 << 20,
}

/** Queries over the chain, its states and an executor of calls; `defaultPriorityFee` is suggested when blocks are empty, `timer` ends long ones. */
export function createEthQueries({
  chain,
  state,
  calls,
  chainId,
  limits,
  defaultPriorityFee = 1_000_000n,
  timer,
}: {
  chain: ChainReader
  state: StateReader
  calls: CallExecutor
  chainId: number
  limits?: Partial<QueryLimits>
  defaultPriorityFee?: Wei
  timer?: QueryTimer
}): EthQueries {
  const checkTime = () => timer?.check()
  const bounds = { ...defaultLimits, ...limits }
  const methods = new Map<string, QueryMethod>(
    Object.entries({
      eth_chainId: (args: RpcArguments) => {
        args.end()
        return toQuantity(chainId)
      },
      eth_blockNumber: (args: RpcArguments) => {
        args.end()
        return toQuantity(chain.heads().head.number)
      },
      ...feeQueries({ chain, defaultPriorityFee, checkTime }),
      ...accountQueries({ chain, state }),
      ...blockQueries({ chain }),
      ...logQueries({ chain, limits: bounds, checkTime }),
      ...callQueries({ chain, state, calls, chainId, limits: bounds }),
    }),
  )
  return {
    async request(method, params, signal) {
      const answer = methods.get(method)
      if (!answer)
        throw new ExecutionRpcError({
          code: rpcErrorCodes.methodNotFound,
          message: `the method ${method} does not exist/is not available`,
        })
      return answer(new RpcArguments(params), signal)
    },
  }
}
