import { createEVM, type EVM } from '@ethereumjs/evm'
import { Address as EvmAddress } from '@ethereumjs/util'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { bytesToHex, type Hex, hexToBytes, uintToBytes } from '../../../../base/primitives/bytes.js'
import type { Address } from '../../../../base/primitives/hashes.js'
import { WorkingState } from '../state/working-state.js'
import { chainId, environmentOf, genesisState } from './block-scene.fixture.js'
import { createCommon } from './evm-common.js'
import { EvmMachine } from './evm-environment.js'
import { EvmState } from './evm-state.js'

const addresses = [0xc1, 0xc2, 0xc3].map((n): Address => bytesToHex(uintToBytes(n, 20)))
const caller: Address = bytesToHex(uintToBytes(0xaa, 20))
const machine = await EvmMachine.create(chainId)
const libraryState = new EvmState()
const library = await createEVM({ common: createCommon(chainId), stateManager: libraryState })

const called = ['c1', 'c2', 'c3', '04']
/** Calls, creations, logs, reads and writes of storage, memory and results, and ends of all kinds. */
const snippets = [
  ...called.map(to => `6020601f60406004600160${to}61fffff150`),
  ...called.flatMap(to => ['f4', 'fa'].map(call => `6020601f6040600460${to}61ffff${call}50`)),
  ...['60006000600af050', '6460016001f36000526005601b5ff050', '60fe5f5360015f5ff050', '6460ff5ffd005f526005601b5ff050'],
  ...[
    '6001602060006000a1',
    '600054600101600055',
    '60ff5f5560015f5d',
    '5f5c604052',
    '3d5f5f3e3d6000a0',
    '600435600155',
    '34600255',
    '60016003555f600355',
    '595f52',
  ],
  ...['60056020525e', '30315f52', '00', '60206000f3', '60406020fd', 'fe', '33ff', '5056', '61ffff51'],
]
const program = fc
  .array(fc.constantFrom(...snippets), { minLength: 1, maxLength: 12 })
  .map((parts): Hex => `0x${parts.join('')}`)
type Runner = Pick<EVM, 'runCall' | 'journal'>

async function run(evm: Runner, { state, working, to }: { state: EvmState; working: WorkingState; to: Address }) {
  state.use(working)
  evm.journal.cleanJournal()
  working.startTransaction()
  const { execResult } = await evm.runCall({
    block: machine.enter(environmentOf({})),
    caller: new EvmAddress(uintToBytes(0xaa, 20)),
    to: new EvmAddress(hexToBytes(to)),
    data: uintToBytes(7n, 40),
    gasLimit: 900_000n,
    value: 3n,
  })
  await evm.journal.cleanup()
  const { runState: _, ...seen } = execResult
  return { ...seen, root: bytesToHex(working.finish().root) }
}

it("gives what the EVM library's own frames give", async () => {
  const ends = new Set<string | undefined>()
  await fc.assert(
    fc.asyncProperty(fc.tuple(program, program, program), async codes => {
      const contracts = addresses.map((at, i) => [at, { balance: 100n, nonce: 1, code: codes[i]! }])
      const genesis = genesisState({ ...Object.fromEntries(contracts), [caller]: { balance: 10n ** 18n } })
      const theirs = await run(library, { state: libraryState, working: new WorkingState(genesis), to: addresses[0]! })
      const ours = await run(machine.vm.evm as EVM, {
        state: machine.state,
        working: new WorkingState(genesis),
        to: addresses[0]!,
      })
      expect(ours).toEqual(theirs)
      ends.add(ours.exceptionError?.error)
    }),
    { numRuns: 300 },
  )
  expect(ends.size).toBeGreaterThan(3)
})
