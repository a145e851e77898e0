import { bytesToHex } from '../../../base/primitives/bytes.js'
import { readBlockNumberOrHash } from '../../../io/execution/embedded/queries/block-selector.js'
import { readAddress, readBytes, readHash, toQuantity } from '../../../io/execution/embedded/queries/hex-arguments.js'
import { serverError } from '../../../io/execution/embedded/queries/rpc-argument.js'
import { ExecutionRpcError } from '../../../io/execution/execution-rpc-error.js'
import { pooledToJson } from '../pooled-transaction-json.js'
import type { RpcMethods } from '../rpc-method.js'
import type { TransactionPool } from '../rpc-ports.js'
import type { AskExecution } from './execution-methods.js'

/** Methods about transactions that the mempool has a say in. */
export function transactionMethods({ mempool, ask }: { mempool: TransactionPool; ask: AskExecution }): RpcMethods {
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

    // The pool is asked first and answers last: a transaction that is mined meanwhile is seen in one of them.
    async eth_getTransactionByHash({ args, params, context }) {
      const hash = args.required(readHash)
      args.end()
      const pooled = mempool.transaction(hash)
      const mined = await ask.value('eth_getTransactionByHash', params, context)
      return mined ?? (pooled && pooledToJson(pooled))
    },
    async eth_getRawTransactionByHash({ args, params, context }) {
      const hash = args.required(readHash)
      args.end()
      const pooled = mempool.transaction(hash)
      const mined = await ask.value('eth_getRawTransactionByHash', params, context)
      return mined ?? (pooled && bytesToHex(pooled.raw))
    },

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
