import { keccak256Hex } from '../../../base/crypto/keccak.js'
import { asciiToBytes } from '../../../base/primitives/bytes.js'
import type { Address } from '../../../base/primitives/hashes.js'
import { decodeTransaction } from '../../../base/protocol/transaction.js'
import { readAddress, toQuantity } from '../../../io/execution/embedded/queries/hex-arguments.js'
import { ExecutionRpcError, rpcErrorCodes } from '../../../io/execution/execution-rpc-error.js'
import { pooledToJson } from '../pooled-transaction-json.js'
import type { RpcMethods } from '../rpc-method.js'
import type { AccountContent, PooledTransaction, TransactionPool } from '../rpc-ports.js'

/** More transactions are not shown in one answer, which takes the node's main thread some 25 µs for each. */
const maxShown = 4_096

/** `txpool_`: what waits in the mempool. */
export function txpoolMethods({ mempool }: { mempool: TransactionPool }): RpcMethods {
  const wholePool = () => {
    const { pending, queued } = mempool.status()
    const count = pending + queued
    if (count <= maxShown) return mempool.content()
    const message = `the pool holds ${count} transactions and ${maxShown} are shown at most: ask txpool_contentFrom`
    throw new ExecutionRpcError({ code: rpcErrorCodes.limitExceeded, message })
  }
  return {
    txpool_status({ args }) {
      args.end()
      const { pending, queued } = mempool.status()
      return { pending: toQuantity(pending), queued: toQuantity(queued) }
    },
    txpool_content({ args }) {
      args.end()
      return byAccount(wholePool(), pooledToJson)
    },
    txpool_contentFrom({ args }) {
      const address = args.required(readAddress)
      args.end()
      const { pending, queued } = mempool.contentFrom(address)
      return { pending: byNonce(pending, pooledToJson), queued: byNonce(queued, pooledToJson) }
    },
    txpool_inspect({ args }) {
      args.end()
      return byAccount(wholePool(), showLine)
    },
  }
}

type Show = (pooled: PooledTransaction) => unknown

function byAccount(content: ReadonlyMap<Address, AccountContent>, show: Show) {
  const pending: Record<string, unknown> = {}
  const queued: Record<string, unknown> = {}
  for (const [address, account] of content) {
    const name = checksumAddress(address)
    if (account.pending.length > 0) pending[name] = byNonce(account.pending, show)
    if (account.queued.length > 0) queued[name] = byNonce(account.queued, show)
  }
  return { pending, queued }
}

const byNonce = (pooled: readonly PooledTransaction[], show: Show): Record<string, unknown> =>
  Object.fromEntries(pooled.map(item => [String(item.nonce), show(item)]))

const showLine: Show = ({ raw }) => {
  const { to, value, gasLimit, maxFeePerGas } = decodeTransaction(raw)
  return `${to ? checksumAddress(to) : 'contract creation'}: ${value} wei + ${gasLimit} gas × ${maxFeePerGas} wei`
}

/** The address in the mixed case of ERC-55, as geth keys its txpool answers. */
function checksumAddress(address: Address): string {
  const digits = address.slice(2)
  const hash = keccak256Hex(asciiToBytes(digits)).slice(2)
  let text = '0x'
  for (let i = 0; i < digits.length; i++)
    text += Number.parseInt(hash[i]!, 16) >= 8 ? digits[i]!.toUpperCase() : digits[i]
  return text
}
