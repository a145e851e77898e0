import { runTx } from '@ethereumjs/vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addressOfPrivateKey } from '../../../../base/crypto/secp256k1.js'
import { bytesToHex, type Hex, uintToBytes } from '../../../../base/primitives/bytes.js'
import type { Address } from '../../../../base/primitives/hashes.js'
import { decodeTransaction } from '../../../../base/protocol/transaction.js'
import { signTransaction } from '../../sign-transaction.js'
import { emptyAccount } from '../state/account-record.js'
import { WorkingState } from '../state/working-state.js'
import { chainId, environmentOf, genesisState } from './block-scene.fixture.js'
import { EvmMachine } from './evm-environment.js'
import { toEvmTransaction } from './evm-transaction.js'
import { applyTransfer, isPlainTransfer } from './transfer.js'

const keys = [1, 2, 3].map(i => uintToBytes(i, 32))
const people = keys.map(addressOfPrivateKey)
const nobody: Address = '0x00000000000000000000000000000000000abcde'
const contract: Address = '0x0000000000000000000000000000000000c0de00'
const identity: Address = '0x0000000000000000000000000000000000000004'
const machine = await EvmMachine.create(chainId)
const genesis = genesisState({
  ...Object.fromEntries(people.map((address, i) => [address, { balance: 10n ** 20n, nonce: i }])),
  [contract]: { balance: 5n, code: '0x00' },
})

const transfers = fc.record({
  type: fc.constantFrom(0, 1, 2) as fc.Arbitrary<0 | 1 | 2>,
  from: fc.nat(2),
  to: fc.constantFrom(...people, nobody, contract, identity),
  feeRecipient: fc.constantFrom(...people, nobody),
  value: fc.constantFrom(0n, 1n, 10n ** 18n),
  gasLimit: fc.integer({ min: 21_000, max: 100_000 }),
  baseFeePerGas: fc.bigInt({ min: 0n, max: 10n ** 10n }),
  tip: fc.bigInt({ min: 0n, max: 10n ** 9n }),
  headroom: fc.bigInt({ min: 0n, max: 10n ** 9n }),
})

describe('the short way of a plain transfer', () => {
  it('changes the state exactly as the EVM does, and uses as much gas', async () => {
    const taken = { short: 0, long: 0 }
    await fc.assert(
      fc.asyncProperty(transfers, async ({ from, feeRecipient, baseFeePerGas, tip, headroom, ...draft }) => {
        const maxFeePerGas = baseFeePerGas + headroom
        const maxPriorityFeePerGas = tip < maxFeePerGas ? tip : maxFeePerGas
        const raw = signTransaction({ ...draft, chainId, nonce: from, maxFeePerGas, maxPriorityFeePerGas }, keys[from]!)
        const transaction = decodeTransaction(raw)
        const sender = people[from]!
        const environment = environmentOf({ feeRecipient, baseFeePerGas })
        const short = new WorkingState(genesis)
        if (!isPlainTransfer(transaction, machine, short)) {
          expect([contract, identity]).toContain(draft.to)
          taken.long++
          return
        }
        taken.short++
        const gas = applyTransfer({ transaction, sender, working: short, environment })
        const long = new WorkingState(genesis)
        machine.state.use(long)
        const block = machine.enter(environment)
        const tx = toEvmTransaction(transaction, sender, machine.vm.common)
        const result = await runTx(machine.vm, { tx, block, skipHardForkValidation: true })
        expect(BigInt(gas)).toBe(result.totalGasSpent)
        expect(result.execResult.exceptionError).toBeUndefined()
        expect(rootOf(short)).toBe(rootOf(long))
      }),
      { numRuns: 400 },
    )
    expect(taken.short).toBeGreaterThan(0)
    expect(taken.long).toBeGreaterThan(0)
  })

  it('is not taken where a balance would overflow', () => {
    const state = new WorkingState(genesis)
    state.setAccount(nobody, { ...emptyAccount, balance: (1n << 256n) - 1n })
    const raw = signTransaction(
      { type: 2, chainId, nonce: 0, maxFeePerGas: 1n, gasLimit: 21_000, to: nobody, value: 1n },
      keys[0]!,
    )
    expect(isPlainTransfer(decodeTransaction(raw), machine, state)).toBe(false)
  })
})

const rootOf = (state: WorkingState): Hex => bytesToHex(state.finish().root)
