import { keccak256Hex } from '../../../base/crypto/keccak.js'
import { JsonText, toJson } from '../../../base/encoding/json.js'
import { asciiToBytes } from '../../../base/primitives/bytes.js'
import type { Address } from '../../../base/primitives/hashes.js'
import { decodeTransaction } from '../../../base/protocol/transaction.js'
import { readAddress, toQuantity } from '../../../io/execution/embedded/queries/hex-arguments.js'
import { ExecutionRpcError, rpcErrorCodes } from '../../../io/execution/execution-rpc-error.js'
import { pooledToJson } from '../pooled-transaction-json.js'
import type { RpcMethods } from '../rpc-method.js'
import type { AccountContent, PooledTransaction, TransactionPool } from '../rpc-ports.js'
import type { AnswerSteps, SlowLine } from '../slow-line.js'

/** More transactions are not shown in one answer, nor more bytes of them. */
const maxShown = 4_096
const maxShownBytes = 4 * 1024 * 1024
/** What a transaction takes besides its bytes, as long as this many characters. */
const transactionCost = 1_500

/** `txpool_`: what waits in the mempool. */
export function txpoolMethods({ mempool, slow }: { mempool: TransactionPool; slow: SlowLine }): RpcMethods {
  const wholePool = () => {
    const { pending, queued } = mempool.status()
    const count = pending + queued
    if (count > maxShown)
      throw tooMuch(`the pool holds ${count} transactions and ${maxShown} are shown at most: ask txpool_contentFrom`)
    const content = mempool.content()
    let bytes = 0
    for (const account of content.values()) bytes += bytesOf(account)
    if (bytes > maxShownBytes)
      throw tooMuch(`the pool holds ${bytes} bytes and ${maxShownBytes} are shown at most: ask txpool_contentFrom`)
    return content
  }
  return {
    txpool_status({ args }) {
      args.end()
      const { pending, queued } = mempool.status()
      return { pending: toQuantity(pending), queued: toQuantity(queued) }
    },
    txpool_content({ args, context }) {
      args.end()
      return slow.run(context, () => poolText(wholePool(), byNonce(pooledToJson)))
    },
    txpool_contentFrom({ args, context }) {
      const address = args.required(readAddress)
      args.end()
      return slow.run(context, function* () {
        const content = mempool.contentFrom(address)
        const bytes = bytesOf(content)
        if (bytes > maxShownBytes)
          throw tooMuch(
            `the account holds ${bytes} bytes and ${maxShownBytes} are shown at most: ask eth_getTransactionByHash`,
          )
        const { pending, queued } = content
        return new JsonText(yield* objectText(Object.entries({ pending, queued }), byNonce(pooledToJson)))
      })
    },
    txpool_inspect({ args, context }) {
      args.end()
      return slow.run(context, () => poolText(wholePool(), byNonce(showLine)))
    },
  }
}

type Show = (pooled: PooledTransaction) => unknown
/** Makes a text in steps that yield what they cost. */
type TextOf<Value> = (value: Value) => Generator<number, string>

const tooMuch = (message: string) => new ExecutionRpcError({ code: rpcErrorCodes.limitExceeded, message })

const bytesOf = ({ pending, queued }: AccountContent): number =>
  [...pending, ...queued].reduce((sum, { raw }) => sum + raw.length, 0)

function* poolText(
  content: ReadonlyMap<Address, AccountContent>,
  textOf: TextOf<readonly PooledTransaction[]>,
): AnswerSteps {
  const accountsOf = (kind: 'pending' | 'queued') =>
    [...content].flatMap(([address, { [kind]: pooled }]) =>
      pooled.length > 0 ? [[checksumAddress(address), pooled] as const] : [],
    )
  const kinds = Object.entries({ pending: accountsOf('pending'), queued: accountsOf('queued') })
  return new JsonText(yield* objectText(kinds, accounts => objectText(accounts, textOf)))
}

const byNonce = (show: Show): TextOf<readonly PooledTransaction[]> => {
  function* textOf(pooled: PooledTransaction): Generator<number, string> {
    const text = toJson(show(pooled))
    yield transactionCost + pooled.raw.length + text.length
    return text
  }
  return pooled =>
    objectText(
      pooled.map(item => [String(item.nonce), item] as const),
      textOf,
    )
}

function* objectText<Value>(
  entries: readonly (readonly [string, Value])[],
  textOf: TextOf<Value>,
): Generator<number, string> {
  const members: string[] = []
  for (const [name, value] of entries) members.push(`"${name}":${yield* textOf(value)}`)
  return `{${members.join(',')}}`
}

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
