import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { weiPerGwei } from '../../base/primitives/quantities.js'
import { feeVaultAddress } from '../../base/protocol/protocol-parameters.js'
import { blockWithdrawals, depositWithdrawal, recycledFeeWithdrawal } from './block-withdrawals.js'
import { deposit, genesis } from './blocks.fixture.js'

const parent = { ...genesis.header, baseFeePerGas: 100n, gasUsed: 0 }
const withdrawals = (args: Partial<Parameters<typeof blockWithdrawals>[0]>) =>
  blockWithdrawals({ height: 3, parent, messages: [], feeCarryWei: 0n, ...args })

describe('blockWithdrawals', () => {
  it('are none when nothing was deposited or burned', () => {
    expect(withdrawals({})).toEqual({ withdrawals: [], feeCarryWei: 0n })
  })

  it('credit deposits in queue order in gwei, with indices of the height', () => {
    const messages = [deposit(4, 1), deposit(5, 1)]
    expect(withdrawals({ messages }).withdrawals).toEqual([
      { index: 3 * 65_536, validatorIndex: depositWithdrawal, address: messages[0]!.to, amount: 5n },
      { index: 3 * 65_536 + 1, validatorIndex: depositWithdrawal, address: messages[1]!.to, amount: 6n },
    ])
  })

  it('pass over messages that are no deposits', () => {
    expect(withdrawals({ messages: [{ ...deposit(0, 1), kind: 3 }] }).withdrawals).toEqual([])
  })

  it('give what the parent burned to the fee vault, last, and carry what is below a gwei', () => {
    const burnedParent = { ...parent, baseFeePerGas: 1_500_000_007n, gasUsed: 3 }
    const made = withdrawals({ parent: burnedParent, messages: [deposit(0, 1)], feeCarryWei: 999_999_999n })
    expect(made.withdrawals[1]).toEqual({
      index: 3 * 65_536 + 1,
      validatorIndex: recycledFeeWithdrawal,
      address: feeVaultAddress,
      amount: 5n,
    })
    expect(made.feeCarryWei).toBe(500_000_020n)
  })

  it('carry a burn below one gwei whole', () => {
    expect(withdrawals({ parent: { ...parent, gasUsed: 9_999_999 } })).toEqual({
      withdrawals: [],
      feeCarryWei: 999_999_900n,
    })
  })

  it('over many blocks return every gwei that was burned', () => {
    const blocks = fc.array(fc.record({ baseFeePerGas: fc.bigInt(0n, 10n ** 12n), gasUsed: fc.nat(30_000_000) }))
    fc.assert(
      fc.property(blocks, burns => {
        let [carry, returned, burned] = [0n, 0n, 0n]
        for (const burn of burns) {
          const made = withdrawals({ parent: { ...parent, ...burn }, feeCarryWei: carry })
          carry = made.feeCarryWei
          returned += made.withdrawals.reduce((sum, { amount }) => sum + amount, 0n) * weiPerGwei
          burned += burn.baseFeePerGas * BigInt(burn.gasUsed)
          expect(carry).toBeLessThan(weiPerGwei)
        }
        expect(returned + carry).toBe(burned)
      }),
    )
  })
})
