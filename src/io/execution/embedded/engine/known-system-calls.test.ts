import { readFileSync } from 'node:fs'
import { Address as EvmAddress } from '@ethereumjs/util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesToHex, type Hex, hexToBytes, uintToBytes } from '../../../../base/primitives/bytes.js'
import type { Address } from '../../../../base/primitives/hashes.js'
import { trimWord } from '../state/slot-value.js'
import { WorkingState } from '../state/working-state.js'
import { chainId, environmentOf, genesisState } from './block-scene.fixture.js'
import { EvmMachine } from './evm-environment.js'
import { callKnownCode } from './known-system-calls.js'

const canonical = JSON.parse(readFileSync('contracts/artifacts/canonical.json', 'utf8')) as Record<
  string,
  { address: string; code: Hex }
>
const contract = (name: string) => {
  const { address, code } = canonical[name]!
  return { address: address.toLowerCase() as Address, code }
}
const contexts = contract('beaconRoots')
const hashes = contract('blockHashHistory')
const queues = [contract('withdrawalRequests'), contract('consolidationRequests')]
const impostor: Address = '0x0000000000000000000000000000000000c0de00'

const machine = await EvmMachine.create(chainId)
const genesis = genesisState({
  ...Object.fromEntries([contexts, hashes, ...queues].map(({ address, code }) => [address, { balance: 0n, code }])),
  [impostor]: { balance: 0n, code: '0x00' },
})

interface Case {
  readonly to: Address
  readonly number: number
  readonly timestamp: number
  readonly data: Uint8Array
  readonly slots: readonly (readonly [number, bigint])[]
}

function stateOf({ to, slots }: Case): WorkingState {
  const working = new WorkingState(genesis)
  for (const [at, value] of slots)
    working.setSlot(to, bytesToHex(uintToBytes(at, 32)), trimWord(uintToBytes(value, 32)))
  working.startTransaction()
  return working
}

/** Runs the code of the contract. */
async function inEvm(call: Case): Promise<{ returned: string; root: string }> {
  const { to, number, timestamp, data } = call
  const working = stateOf(call)
  machine.state.use(working)
  const { execResult } = await machine.vm.evm.runCall({
    block: machine.enter(environmentOf({ number, timestamp })),
    caller: new EvmAddress(hexToBytes('0xfffffffffffffffffffffffffffffffffffffffe')),
    to: new EvmAddress(hexToBytes(to)),
    data,
    gasLimit: 30_000_000n,
    value: 0n,
    skipNonceIncrement: true,
  })
  await machine.vm.evm.journal.cleanup()
  expect(execResult.exceptionError).toBeUndefined()
  return { returned: bytesToHex(execResult.returnValue), root: bytesToHex(working.finish().root) }
}

function shortWay(call: Case): { returned: string; root: string } | null {
  const working = stateOf(call)
  const returned = callKnownCode({ working, environment: call, to: call.to, data: call.data })
  return returned && { returned: bytesToHex(returned), root: bytesToHex(working.finish().root) }
}

const word = fc.oneof(fc.constant(new Uint8Array(32)), fc.uint8Array({ minLength: 32, maxLength: 32 }))
const number = fc.oneof(fc.integer({ min: 1, max: 3 * 8_191 }), fc.integer({ min: 1, max: 2 ** 40 }))

describe('the short way of the system calls', () => {
  it('keeps contexts and hashes as the contracts do, over what is there already', async () => {
    const to = fc.constantFrom(contexts.address, hashes.address)
    const ring = fc.tuple(fc.integer({ min: 0, max: 2 * 8_191 }), fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }))
    const calls = fc.record({ to, number, timestamp: number, data: word, slots: fc.array(ring, { maxLength: 3 }) })
    await fc.assert(
      fc.asyncProperty(calls, async call => {
        expect(shortWay(call)).toEqual(await inEvm(call))
      }),
      { numRuns: 200 },
    )
  })

  it('reads an idle queue as its contract does, and leaves any other to the contract', async () => {
    const inhibited = 2n ** 256n - 1n
    const value = fc.constantFrom(0n, 0n, 0n, 0n, 1n, 2n, 5n, inhibited)
    const slots = fc.tuple(value, value, value, value).map(values => values.map((v, at) => [at, v] as const))
    const to = fc.constantFrom(...queues.map(({ address }) => address))
    const calls = fc.record({ to, number, timestamp: number, data: fc.constant(new Uint8Array(0)), slots })
    const taken = { short: 0, long: 0 }
    await fc.assert(
      fc.asyncProperty(calls, async call => {
        const short = shortWay(call)
        const isIdle = call.slots.every(([, v]) => v === 0n)
        expect(short !== null).toBe(isIdle)
        taken[short ? 'short' : 'long']++
        if (short) expect(short).toEqual(await inEvm(call))
      }),
      { numRuns: 200 },
    )
    expect(taken.short).toBeGreaterThan(0)
    expect(taken.long).toBeGreaterThan(0)
  })

  it('is not taken for other code at such an address, nor for other data', () => {
    const call = { number: 1, timestamp: 1, data: new Uint8Array(32), slots: [] }
    expect(shortWay({ ...call, to: impostor })).toBeNull()
    expect(shortWay({ ...call, to: contexts.address, data: new Uint8Array(31) })).toBeNull()
    expect(shortWay({ ...call, to: hashes.address, data: new Uint8Array(0) })).toBeNull()
  })
})
