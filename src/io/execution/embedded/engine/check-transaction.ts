import type { Transaction } from '../../../../base/protocol/transaction.js'
import type { SkippedTransaction } from '../../execution-client.js'
import { type AccountRecord, hasCode } from '../state/account-record.js'

/** Why a transaction cannot execute. */
export interface Refusal {
  readonly reason: SkippedTransaction['reason']
  readonly detail: string
}

/** Most gas of one transaction (EIP-7825). */
export const maxTransactionGas = 16_777_216n
const maxInitCodeBytes = 49_152
const maxWord = 1n << 256n

/** Gas of a transaction before anything runs (EIP-2028, 2930, 3860, 7702), and the least it pays for its data (EIP-7623). */
export function requiredGasOf({
  data,
  isCreation,
  accessList,
  authorizations,
}: {
  readonly data: Uint8Array
  readonly isCreation: boolean
  readonly accessList: readonly { readonly storageKeys: readonly unknown[] }[]
  readonly authorizations: number
}): { readonly intrinsic: number; readonly floor: number } {
  let tokens = 0
  for (let i = 0; i < data.length; i++) tokens += data[i] === 0 ? 1 : 4
  let keys = 0
  for (const entry of accessList) keys += entry.storageKeys.length
  const creation = isCreation ? 32_000 + 2 * Math.ceil(data.length / 32) : 0
  const lists = 2_400 * accessList.length + 1_900 * keys + 25_000 * authorizations
  return { intrinsic: 21_000 + 4 * tokens + creation + lists, floor: 21_000 + 10 * tokens }
}

function requiredGas({ data, to, accessList, authorizations }: Transaction): bigint {
  const gas = requiredGasOf({ data, isCreation: to === null, accessList, authorizations: authorizations.length })
  return BigInt(Math.max(gas.intrinsic, gas.floor))
}

/** What no state can heal: chain, gas bounds, size of the init code. */
export function checkTransactionAlone(
  transaction: Transaction,
  { chainId, blockGasLimit }: { readonly chainId: bigint; readonly blockGasLimit: bigint },
): Refusal | null {
  const { gasLimit } = transaction
  if (transaction.chainId !== null && transaction.chainId !== chainId)
    return invalid(`invalid chain id: have ${transaction.chainId}, want ${chainId}`)
  if (gasLimit > maxTransactionGas)
    return invalid(`transaction gas limit too high (cap: ${maxTransactionGas}, tx: ${gasLimit})`)
  if (gasLimit > blockGasLimit) return invalid(`exceeds block gas limit: have ${gasLimit}, limit ${blockGasLimit}`)
  if (transaction.to === null && transaction.data.length > maxInitCodeBytes)
    return invalid(`max initcode size exceeded: code size ${transaction.data.length}, limit ${maxInitCodeBytes}`)
  const required = requiredGas(transaction)
  if (gasLimit < required) return invalid(`intrinsic gas too low: have ${gasLimit}, want ${required}`)
  return null
}

/** Whether the sender can pay for it now, with the state before it. */
export function checkAgainstSender({
  transaction,
  account,
  isContract,
  baseFeePerGas,
}: {
  readonly transaction: Transaction
  readonly account: AccountRecord
  /** Whether the sender's code is anything but a delegation (EIP-3607). */
  readonly isContract: (account: AccountRecord) => boolean
  readonly baseFeePerGas: bigint
}): Refusal | null {
  const { maxFeePerGas, gasLimit, value } = transaction
  const nonce = BigInt(transaction.nonce)
  if (nonce < account.nonce)
    return { reason: 'nonce-too-low', detail: `nonce too low: next nonce ${account.nonce}, tx nonce ${nonce}` }
  if (nonce > account.nonce)
    return { reason: 'nonce-too-high', detail: `nonce too high: next nonce ${account.nonce}, tx nonce ${nonce}` }
  if (hasCode(account) && isContract(account)) return invalid('sender not an eoa')
  if (maxFeePerGas < baseFeePerGas)
    return {
      reason: 'fee-too-low',
      detail: `max fee per gas less than block base fee: maxFeePerGas: ${maxFeePerGas}, baseFee: ${baseFeePerGas}`,
    }
  const cost = gasLimit * maxFeePerGas + value
  if (gasLimit * maxFeePerGas >= maxWord) return invalid('max fee per gas higher than 2^256-1')
  if (account.balance < cost)
    return {
      reason: 'insufficient-funds',
      detail: `insufficient funds for gas * price + value: have ${account.balance} want ${cost}`,
    }
  return null
}

function invalid(detail: string): Refusal {
  return { reason: 'invalid', detail }
}

/** Wei per gas that the sender pays and that the fee recipient gets of it (EIP-1559). */
export function gasPrices(
  transaction: Transaction,
  baseFeePerGas: bigint,
): { readonly paid: bigint; readonly tip: bigint } {
  const { maxFeePerGas, maxPriorityFeePerGas } = transaction
  const room = maxFeePerGas - baseFeePerGas
  const tip = maxPriorityFeePerGas < room ? maxPriorityFeePerGas : room
  return { paid: baseFeePerGas + tip, tip }
}
