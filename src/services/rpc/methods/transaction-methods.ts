import { JsonText, toJson } from '../../../base/encoding/json.js'
import { bytesToHex } from '../../../base/primitives/bytes.js'
import { readBlockNumberOrHash } from '../../../io/execution/embedded/queries/block-selector.js'
import { readAddress, readBytes, readHash, toQuantity } from '../../../io/execution/embedded/queries/hex-arguments.js'
import { serverError } from '../../../io/execution/embedded/queries/rpc-argument.js'
import { ExecutionRpcError } from '../../../io/execution/execution-rpc-error.js'
import { pooledToJson } from '../pooled-transaction-json.js'
import type { RpcMethod, RpcMethods } from '../rpc-method.js'
import type { PooledTransaction, TransactionPool } from '../rpc-ports.js'
import type { SlowLine } from '../slow-line.js'
import type { AskExecution } from './execution-methods.js'

/** From so many bytes on a waiting transaction takes long to show. */
const largeBytes = 8_192

/** Methods about transactions that the mempool has a say in. */
export function transactionMethods({
  mempool,
  ask,
  slow,
}: {
  mempool: TransactionPool
  ask: AskExecution
  slow: SlowLine
}): RpcMethods {
  // The pool is asked first and answers last: a transaction that is mined meanwhile is seen in one of them.
  const minedOrPooled =
    (method: string, show: (pooled: PooledTransaction) => unknown): RpcMethod =>
    async ({ args, params, context }) => {
      const hash = args.required(readHash)
      args.end()
      const pooled = mempool.transaction(hash)
      const mined = await ask.text(method, params, context)
      if (mined.text !== 'null' || !pooled) return mined
      if (pooled.raw.length <= largeBytes) return show(pooled)
      return slow.run(context, function* () {
        const text = toJson(show(pooled))
        yield text.length
        return new JsonText(text)
      })
    }
  return {
    async eth_sendRawTransaction({ args }) {
      const raw = args.required(readBytes)
      args.end()
      const outcome = await mempool.addRaw(raw)
      if (outcome.ok) return outcome.value
      throw new ExecutionRpcError({ code: outcome.error.code, message: outcome.error.message })
    },

    async eth_getTransactionCount({ args, params, context }) {
      const address = args.required(readAddress)
      const block = args.required(readBlockNumberOrHash)
      args.end()
      if (block.by === 'tag' && block.tag === 'pending') return toQuantity(await mempool.pendingNonce(address))
      return ask.text('eth_getTransactionCount', params, context)
    },

    eth_getTransactionByHash: minedOrPooled('eth_getTransactionByHash', pooledToJson),
    eth_getRawTransactionByHash: minedOrPooled('eth_getRawTransactionByHash', ({ raw }) => bytesToHex(raw)),

    eth_accounts: ({ args }) => {
      args.end()
      return []
    },
    // The node keeps no accounts: whoever asks it to sign asks for one that it does not have.
    eth_sendTransaction: unknownAccount,
    eth_signTransaction: unknownAccount,
    eth_sign: unknownAccount,
  }
}

function unknownAccount(): never {
  throw serverError('unknown account')
}
