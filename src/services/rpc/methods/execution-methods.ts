import { JsonText } from '../../../base/encoding/json.js'
import type { ExecutionClient } from '../../../io/execution/execution-client.js'
import { ExecutionRpcError } from '../../../io/execution/execution-rpc-error.js'
import type { Clock } from '../../../io/time/clock.js'
import { CallerShares } from '../caller-shares.js'
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
}

/** Methods that the execution client runs one at a time, few of which may wait. */
const longMethods: ReadonlySet<string> = new Set(['eth_getLogs', 'eth_getBlockReceipts'])
/** Long queries of one caller that may wait with those of others: a fourth of the places. The rest of his waits for them. */
const longQueriesOfCaller = 16
/** Those of his that may wait for the first. */
const longQueriesBehind = 48

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
  const shares = new CallerShares<unknown>({ together: longQueriesOfCaller, waiting: longQueriesBehind })
  const within = async <Answer>(
    context: CallContext,
    ask: (signal: AbortSignal) => Promise<Answer>,
  ): Promise<Answer> => {
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
      return await Promise.race([ask(abort.signal), timeout])
    } finally {
      cancelTimeout()
      stopWaiting()
    }
  }
  return {
    value: (method, params, context) => within(context, signal => execution.request(method, params, signal)),
    text: async (method, params, context) => {
      const ask = (signal: AbortSignal) => execution.requestText(method, params, signal)
      // As for connections, this machine has no share of its own but where it is told apart.
      const caller = context.host ?? context.subscriber
      if (caller === null || !longMethods.has(method)) return new JsonText(await within(context, ask))
      return new JsonText(await within(context, signal => shares.run(caller, () => ask(signal), signal)))
    },
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
