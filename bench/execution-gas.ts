// CPU seconds that 30M gas of each kind of code takes on the engine of the embedded client: how well gas bounds time.
// `node build/bench/execution-gas.js [gas per kind]`
import { bytesToHex, concatBytes, type Hex, uintToBytes } from '../src/base/primitives/bytes.js'
import type { Address } from '../src/base/primitives/hashes.js'
import { attributesAfter, complianceGenesis, sign } from '../src/io/execution/compliance-chain.js'
import { createInProcessExecution } from '../src/io/execution/embedded/in-process-execution.js'
import { MemoryStore } from '../src/io/storage/memory-store.js'
import { precompileInputs } from '../test/execution/precompile-inputs.js'

interface Kind {
  readonly name: string
  readonly code: Hex
  readonly data?: Uint8Array
}

const gasLimit = Number(process.argv[2] ?? 3_000_000)
const stopping: Address = '0x000000000000000000000000000000000000beef'
const reverting: Address = '0x000000000000000000000000000000000000dead'
const word = (value: bigint | number) => uintToBytes(value, 32)
const callOf = (to: string) => `5f5f5f5f5f${to}6103e8f150`
const loop = (body: string): Hex => `0x5b${body}5f56`
/** Calls a precompile with the data of the transaction, for ever. */
const precompileLoop = (number: number): Hex =>
  `0x365f5f375b5f5f365f61${number.toString(16).padStart(4, '0')}5afa50600456`
const inputOf = (number: number, at = 0) =>
  precompileInputs().filter(({ address }) => Number(address) === number)[at]!.input
const precompile = (name: string, number: number, data = inputOf(number)): Kind => ({
  name,
  code: precompileLoop(number),
  data,
})
const largest = new Uint8Array(32).fill(0xff)
const repeated = (part: Uint8Array, times: number) => concatBytes(...new Array<Uint8Array>(times).fill(part))
const termG1 = concatBytes(inputOf(12).subarray(0, 128), largest)
const termG2 = concatBytes(inputOf(14).subarray(0, 256), largest)
const halfOfGas = word(Math.floor(gasLimit / 2))
/** Repeats one thing until half of the gas is used, then another for ever. */
const halves = (first: string, second: string): Hex => {
  const secondAt = 8 + first.length / 2
  return `0x5b${first}5f355a115f575b${second}60${(secondAt - 1).toString(16).padStart(2, '0')}56`
}

const kinds: readonly Kind[] = [
  { name: 'push, pop', code: loop('5f50'.repeat(100)) },
  { name: 'calls', code: loop(callOf('61beef')) },
  { name: 'calls of itself', code: loop('5f5f5f5f5f305af150') },
  { name: 'calls, then reverted calls', code: halves(callOf('61beef'), callOf('61dead')), data: halfOfGas },
  { name: 'logs, then calls', code: halves('5f5fa0', callOf('61beef')), data: halfOfGas },
  precompile('ecrecover', 1),
  precompile('bn254 add', 6),
  precompile('bn254 mul', 7, concatBytes(word(1), word(2), largest)),
  precompile('bn254 pairing', 8, inputOf(8, 2)),
  precompile('blake2f, 100,000 rounds', 9, concatBytes(uintToBytes(100_000, 4), inputOf(9).subarray(4))),
  precompile('BLS G1 add', 11),
  precompile('BLS G1 MSM of 1', 12, termG1),
  precompile('BLS G1 MSM of 16', 12, repeated(termG1, 16)),
  precompile('BLS G2 add', 13),
  precompile('BLS G2 MSM of 1', 14, termG2),
  precompile('BLS G2 MSM of 16', 14, repeated(termG2, 16)),
  precompile('BLS pairing', 15),
  precompile('BLS map to G1', 16),
  precompile('BLS map to G2', 17),
  precompile('P-256 verify', 0x100),
]

const addressOf = (index: number): Address => bytesToHex(uintToBytes(0xe000 + index, 20))
const { alloc, ...genesis } = complianceGenesis({})
const contracts = Object.fromEntries(kinds.map(({ code }, index) => [addressOf(index), { balance: 0n, code }]))
const targets = {
  [stopping]: { balance: 0n, code: '0x00' as const },
  [reverting]: { balance: 0n, code: '0x5f5ffd' as const },
}
const client = await createInProcessExecution({
  store: new MemoryStore(),
  genesis: { ...genesis, alloc: { ...alloc, ...contracts, ...targets } },
})
for (const [index, { name, data = new Uint8Array(0) }] of kinds.entries()) {
  const transactions = [sign({ to: addressOf(index), gasLimit, data })]
  const before = process.cpuUsage()
  const { block } = await client.buildBlock(attributesAfter(await client.head(), { transactions }))
  const { user, system } = process.cpuUsage(before)
  const seconds = ((user + system) / 1e6) * (30e6 / block.header.gasUsed)
  console.log(`${name.padEnd(30)}${seconds.toFixed(1).padStart(6)} s of CPU for 30M gas`)
}
await client.close()
