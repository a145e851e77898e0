import { invariant } from '../../base/primitives/invariant.js'
import { type Height, type Wei, weiPerGwei } from '../../base/primitives/quantities.js'
import type { BlockHeader } from '../../base/protocol/block-header.js'
import { ethDeposit, type L1Message } from '../../base/protocol/l1-message.js'
import { feeVaultAddress } from '../../base/protocol/protocol-parameters.js'
import type { Withdrawal } from '../../base/protocol/withdrawal.js'

/** `validatorIndex` of a withdrawal that credits a deposit from L1. */
export const depositWithdrawal = 0
/** `validatorIndex` of the withdrawal that recycles burned base fees. */
export const recycledFeeWithdrawal = 1

/** Room for withdrawals in one height's range of indices: index = height * this + position. */
const indexRoom = 2 ** 16

/**
 * Withdrawals of a block (protocol.md section 2): deposits in queue order, then the base fee that the parent burned, in
 * whole gwei, to the FeeVault. The remainder below one gwei is carried to the next block.
 */
export function blockWithdrawals({
  height,
  parent,
  messages,
  feeCarryWei,
}: {
  height: Height
  parent: BlockHeader
  messages: readonly L1Message[]
  feeCarryWei: Wei
}): { withdrawals: Withdrawal[]; feeCarryWei: Wei } {
  const withdrawals: Withdrawal[] = []
  const credit = (validatorIndex: number, address: Withdrawal['address'], amount: bigint) => {
    invariant(withdrawals.length < indexRoom, 'a block has too many withdrawals', { height })
    withdrawals.push({ index: height * indexRoom + withdrawals.length, validatorIndex, address, amount })
  }
  for (const message of messages) {
    if (message.kind === ethDeposit) credit(depositWithdrawal, message.to, message.amount / weiPerGwei)
  }
  const burned = feesToRecycle(parent, feeCarryWei)
  if (burned >= weiPerGwei) credit(recycledFeeWithdrawal, feeVaultAddress, burned / weiPerGwei)
  return { withdrawals, feeCarryWei: burned % weiPerGwei }
}

/** Wei that the child of `parent` may recycle: what the parent burned and what was carried to it; below one gwei it is carried on. */
export function feesToRecycle(parent: Pick<BlockHeader, 'baseFeePerGas' | 'gasUsed'>, feeCarryWei: Wei): Wei {
  return feeCarryWei + parent.baseFeePerGas * BigInt(parent.gasUsed)
}
