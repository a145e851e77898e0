import { createBlockHeader } from '@ethereumjs/block'
import { Common, Hardfork, Mainnet } from '@ethereumjs/common'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nextBaseFee } from './base-fee.js'

const gasLimit = 30_000_000

describe('nextBaseFee', () => {
  // EIP-1559: at the target it stays, full it rises by an eighth, empty it falls by one.
  it.each([
    [1_000_000_000n, 15_000_000, 1_000_000_000n],
    [1_000_000_000n, 30_000_000, 1_125_000_000n],
    [1_000_000_000n, 0, 875_000_000n],
    [1_000_000_000n, 7_500_000, 937_500_000n],
    [1n, 15_000_001, 2n],
    [7n, 0, 7n],
    [8n, 0, 7n],
    [0n, 30_000_000, 1n],
  ])('of %s wei at %s gas is %s', (baseFeePerGas, gasUsed, expected) => {
    expect(nextBaseFee({ baseFeePerGas, gasUsed, gasLimit })).toBe(expected)
  })

  it('agrees with ethereumjs', () => {
    const common = new Common({ chain: Mainnet, hardfork: Hardfork.London })
    fc.assert(
      fc.property(fc.bigInt(1n, 10n ** 15n), fc.nat(gasLimit), (baseFeePerGas, gasUsed) => {
        const header = createBlockHeader({ number: 20_000_000n, gasLimit, gasUsed, baseFeePerGas }, { common })
        expect(nextBaseFee({ baseFeePerGas, gasUsed, gasLimit })).toBe(header.calcNextBaseFee())
      }),
      { numRuns: 200 },
    )
  })
})
