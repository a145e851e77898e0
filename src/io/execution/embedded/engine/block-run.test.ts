import { expect, it } from 'vitest'
import { addressOfPrivateKey } from '../../../../base/crypto/secp256k1.js'
import { uintToBytes } from '../../../../base/primitives/bytes.js'
import { type Address, zeroHash } from '../../../../base/primitives/hashes.js'
import { decodeTransaction } from '../../../../base/protocol/transaction.js'
import { ExecutionError } from '../../execution-error.js'
import { signTransaction } from '../../sign-transaction.js'
import type { StateView } from '../state/state-view.js'
import { BlockRun } from './block-run.js'
import { chainId, environmentOf, genesisState } from './block-scene.fixture.js'
import { EvmMachine } from './evm-environment.js'

const key = uintToBytes(1, 32)
const sender = addressOfPrivateKey(key)
const keeper: Address = '0x00000000000000000000000000000000000000aa'
/** With value it writes 1 to transient slot 0 and reads slot 5, else it writes what the transient slot holds, and 1, to slot 0. */
const code = '0x34600c575f5c6001015f55005b60015f5d60055400'
const genesis = genesisState({ [sender]: { balance: 10n ** 20n }, [keeper]: { balance: 0n, code } })

it('a block that an error broke off leaves nothing to the next one', async () => {
  const machine = await EvmMachine.create(chainId)
  const run = async (value: bigint, base: StateView, on = machine) => {
    const draft = { type: 2, chainId, nonce: 0, to: keeper, value, gasLimit: 100_000 } as const
    const raw = signTransaction({ ...draft, maxFeePerGas: 10n, maxPriorityFeePerGas: 1n }, key)
    const block = await BlockRun.open({
      machine: on,
      environment: environmentOf({}),
      base,
      context: zeroHash,
      parentHash: zeroHash,
    })
    expect(await block.execute(decodeTransaction(raw), sender)).toBeNull()
    return block.finish([])
  }
  const broken: StateView = Object.assign(Object.create(genesis), {
    slot() {
      throw new ExecutionError('STORE_CORRUPT', 'a node is missing')
    },
  })
  await expect(run(1n, broken)).rejects.toThrow('a node is missing')
  const outcome = await run(0n, genesis)
  expect(outcome).toEqual(await run(0n, genesis, await EvmMachine.create(chainId)))
})
