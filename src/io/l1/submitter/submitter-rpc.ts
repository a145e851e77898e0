import { numberToHex, type PublicClient, TransactionReceiptNotFoundError } from 'viem'
import { bytesToHex, type Hex } from '../../../base/primitives/bytes.js'
import type { Address, Hash32 } from '../../../base/primitives/hashes.js'
import { refusalOf } from '../contract-refusal.js'
import type { ContractRefusal } from '../l1-client.js'
import { L1Error } from '../l1-error.js'
import { redactKeysOf } from '../rpc/redact-url.js'
import { shortText, toL1Error } from '../rpc/viem-error.js'
import type { SendAnswer, SenderRpc } from './l1-transaction-sender.js'

/** A call as it would be sent, without its signature. */
export interface TriedCall {
  readonly data: Hex
  readonly gasLimit: bigint
  readonly blobVersionedHashes: readonly Hash32[]
}

/** What the submitter needs of L1. All throw L1Error. */
export interface SubmitterRpc extends SenderRpc {
  /** Why the contract would refuse a call on the newest block, or null when it would take it. */
  refusal(call: TriedCall): Promise<ContractRefusal | null>
}

/** One L1 node, asked about one account and one contract; `rpcUrl` is what its errors must not repeat. */
export function createViemSubmitterRpc({
  client,
  rpcUrl,
  account,
  contract,
}: {
  client: PublicClient
  rpcUrl: string
  account: Address
  contract: Address
}): SubmitterRpc {
  const attempt = async <Value>(what: string, request: () => Promise<Value>): Promise<Value> => {
    try {
      return await request()
    } catch (error) {
      throw toL1Error(error, what, rpcUrl)
    }
  }
  return {
    nonce: () => attempt('nonce', () => client.getTransactionCount({ address: account, blockTag: 'latest' })),
    blockNumber: () => attempt('blockNumber', async () => Number(await client.getBlockNumber())),
    prices: () =>
      attempt('prices', async () => {
        const [block, priorityFee, blobBaseFee] = await Promise.all([
          client.getBlock({ blockTag: 'latest' }),
          client.request({ method: 'eth_maxPriorityFeePerGas' }),
          client.getBlobBaseFee(),
        ])
        return { baseFee: block.baseFeePerGas ?? 0n, priorityFee: BigInt(priorityFee), blobBaseFee }
      }),
    send: async raw => {
      try {
        await client.request({ method: 'eth_sendRawTransaction', params: [bytesToHex(raw)] })
        return 'taken'
      } catch (error) {
        return sendAnswer(error, rpcUrl)
      }
    },
    receipt: hash =>
      attempt('receipt', async () => {
        try {
          const receipt = await client.getTransactionReceipt({ hash })
          return { status: receipt.status, l1BlockNumber: Number(receipt.blockNumber) }
        } catch (error) {
          if (error instanceof TransactionReceiptNotFoundError) return null
          throw error
        }
      }),
    refusal: async ({ data, gasLimit, blobVersionedHashes }) => {
      const blobFields = blobVersionedHashes.length ? { blobVersionedHashes } : {}
      try {
        await client.request({
          method: 'eth_call',
          params: [{ from: account, to: contract, data, gas: numberToHex(gasLimit), ...blobFields } as never, 'latest'],
        })
        return null
      } catch (error) {
        const refusal = refusalOf(error)
        if (refusal) return { ...refusal, detail: redactKeysOf(rpcUrl, refusal.detail) }
        throw toL1Error(error, 'eth_call', rpcUrl)
      }
    },
  }
}

/** Reads the refusals of geth, reth, Nethermind, Besu, Erigon and anvil that mean more than no. @throws L1Error the others */
function sendAnswer(error: unknown, rpcUrl: string): SendAnswer {
  const failure = toL1Error(error, 'eth_sendRawTransaction', rpcUrl)
  if (failure.code === 'L1_UNREACHABLE') throw failure
  const text = shortText(error)
  if (/already ?known|already imported|known transaction/i.test(text)) return 'taken'
  if (/underpriced|replacement ?not ?allowed/i.test(text)) return 'underpriced'
  if (/already reserved|conflicts with existing|conflicting ?type/i.test(text)) return 'other-kind'
  if (/nonce (is )?too low|old ?nonce|nonce too old/i.test(text)) return 'nonce-used'
  throw new L1Error('L1_REJECTED', `L1 refused the transaction: ${shortText(error, rpcUrl)}`, {}, { cause: failure })
}
