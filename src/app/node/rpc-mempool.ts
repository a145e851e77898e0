import { decodeTransaction } from '../../base/protocol/transaction.js'
import type { AccountContent, Mempool, PooledView } from '../../services/mempool/mempool.js'
import type {
  PooledTransaction,
  AccountContent as RpcAccountContent,
  TransactionPool,
} from '../../services/rpc/rpc-ports.js'

/** The mempool as the JSON-RPC server asks for it; a transaction is decoded only when somebody looks into it. */
export function rpcMempool(mempool: Mempool): TransactionPool {
  return {
    addRaw: raw => mempool.addRaw(raw),
    pendingNonce: address => mempool.pendingNonce(address),
    transaction(hash) {
      const found = mempool.transaction(hash)
      return found ? pooled(found) : undefined
    },
    content: () => new Map([...mempool.content()].map(([address, content]) => [address, account(content)])),
    contentFrom: address => account(mempool.contentFrom(address)),
    status: () => mempool.status(),
    onPending: handler =>
      mempool.onPending(transactions => {
        for (const transaction of transactions) handler(pooled(transaction))
      }),
  }
}

const account = ({ pending, queued }: AccountContent): RpcAccountContent => ({
  pending: pending.map(pooled),
  queued: queued.map(pooled),
})

function pooled(view: PooledView): PooledTransaction {
  return {
    sender: view.sender,
    get transaction() {
      return decodeTransaction(view.raw)
    },
  }
}
