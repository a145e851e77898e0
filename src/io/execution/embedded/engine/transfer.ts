import type { Address } from '../../../../base/primitives/hashes.js'
import type { Transaction } from '../../../../base/protocol/transaction.js'
import { emptyAccount, hasCode } from '../state/account-record.js'
import type { WorkingState } from '../state/working-state.js'
import { gasPrices } from './check-transaction.js'
import type { BlockEnvironment, EvmMachine } from './evm-environment.js'

const transferGas = 21_000
const maxBalance = (1n << 256n) - 1n

/** Whether the transaction only moves ETH: nothing runs, so its whole effect is known beforehand. */
export function isPlainTransfer(transaction: Transaction, machine: EvmMachine, working: WorkingState): boolean {
  const { to, type, data, accessList, value } = transaction
  if (to === null || type === 4 || data.length > 0 || accessList.length > 0) return false
  if (machine.isPrecompile(to)) return false
  const recipient = working.account(to)
  return recipient === null || (!hasCode(recipient) && recipient.balance + value <= maxBalance)
}

/** Moves the ETH and the fee of a transaction that was checked and is a plain transfer; gives the gas used. */
export function applyTransfer({
  transaction,
  sender,
  working,
  environment,
}: {
  readonly transaction: Transaction
  readonly sender: Address
  readonly working: WorkingState
  readonly environment: BlockEnvironment
}): number {
  const { value } = transaction
  const { paid, tip } = gasPrices(transaction, environment.baseFeePerGas)
  const from = working.account(sender) ?? emptyAccount
  const balance = from.balance - paid * BigInt(transferGas) - value
  working.setAccount(sender, { ...from, nonce: from.nonce + 1n, balance })
  credit(working, transaction.to!, value)
  credit(working, environment.feeRecipient, tip * BigInt(transferGas))
  return transferGas
}

/** Nothing given to no account leaves no account (EIP-161). */
function credit(working: WorkingState, address: Address, amount: bigint): void {
  if (amount === 0n) return
  const account = working.account(address) ?? emptyAccount
  working.setAccount(address, { ...account, balance: account.balance + amount })
}
