import { JsonText } from '../../../base/encoding/json.js'
import type { Asker, ExecutionClient } from '../../../io/execution/execution-client.js'
import { ExecutionRpcError } from '../../../io/execution/execution-rpc-error.js'
import type { Clock } from '../../../io/time/clock.js'
import { timeoutCode } from '../json-rpc.js'
import type { CallContext, RpcMethod, RpcMethods } from '../rpc-method.js'

/** Methods that the execution client answers as they are; it validates their arguments before it works. */
const forwarded = [
  'eth_blockNumber',
  'eth_gasPrice',
  'eth_maxPriorityFeePerGas',
  'eth_feeHistory',
  'eth_blobBaseFee',
  'eth_getBalance',
  'eth_getCode',
  'eth_getStorageAt',
  'eth_getProof',
  'eth_getBlockByNumber',
  'eth_getBlockByHash',
  'eth_getBlockReceipts',
  'eth_getBlockTransactionCountByNumber',
  'eth_getBlockTransactionCountByHash',
  'eth_getUncleCountByBlockNumber',
  'eth_getUncleCountByBlockHash',
  'eth_getUncleByBlockNumberAndIndex',
  'eth_getUncleByBlockHashAndIndex',
  'eth_getTransactionByBlockNumberAndIndex',
  'eth_getTransactionByBlockHashAndIndex',
  'eth_getRawTransactionByBlockNumberAndIndex',
  'eth_getRawTransactionByBlockHashAndIndex',
  'eth_getTransactionReceipt',
  'eth_getLogs',
  'eth_call',
  'eth_estimateGas',
  'eth_createAccessList',
]

type Ask<Answer> = (method: string, params: readonly unknown[], context: CallContext) => Promise<Answer>

/** Asks the execution client on behalf of a caller, and gives up when the caller is gone or the time is over. @throws ExecutionRpcError */
export interface AskExecution {
  readonly value: Ask<unknown>
  /** For an answer that is passed on: it may be large, and its JSON is not made on the main thread. */
  readonly text: Ask<JsonText>
  /** Anything else that it answers. */
  within<Answer>(context: CallContext, ask: (asker: Asker) => Promise<Answer>): Promise<Answer>
}

/** Asks the execution client within a time. */
export function askExecution({
  execution,
  clock,
  timeoutMs,
}: {
  execution: Pick<ExecutionClient, 'request' | 'requestText'>
  clock: Clock
  timeoutMs: number
}): AskExecution {
  const within = async <Answer>(context: CallContext, ask: (asker: Asker) => Promise<Answer>): Promise<Answer> => {
    const abort = new AbortController()
    const stopWaiting = context.whenGone(() => abort.abort())
    let cancelTimeout = () => {}
    const timeout = new Promise<never>((_, reject) => {
      cancelTimeout = clock.schedule(timeoutMs, () => {
        reject(new ExecutionRpcError({ code: timeoutCode, message: 'request timed out' }))
        abort.abort()
      })
    })
    try {
      return await Promise.race([ask({ caller: context.caller, signal: abort.signal }), timeout])
    } finally {
      cancelTimeout()
      stopWaiting()
    }
  }
  return {
    within,
    value: (method, params, context) => within(context, asker => execution.request(method, params, asker)),
    text: async (method, params, context) =>
      new JsonText(await within(context, asker => execution.requestText(method, params, asker))),
  }
}

/** The methods that are passed on to the execution client. */
export function executionMethods(ask: AskExecution): RpcMethods {
  const forward =
    (method: string): RpcMethod =>
    ({ params, context }) =>
      ask.text(method, params, context)
  return Object.fromEntries(forwarded.map(method => [method, forward(method)]))
}
