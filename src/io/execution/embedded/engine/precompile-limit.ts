import { type EVM, EVMError } from '@ethereumjs/evm'
import { invariant } from '../../../../base/primitives/invariant.js'
import type { TimeLimit } from './time-limit.js'

/**
 * Milliseconds that the precompiles take whose inputs decide it most, on one core of a server of 2024 (`build/bench/execution-gas.js`): by
 * address, of an input. One call of them may be all that a transaction does, and nothing can end it half-way.
 */
const expectedMs: Readonly<Record<number, (input: Uint8Array) => number>> = {
  /** bn254 pairing. */
  8: input => (input.length / 192) * 5,
  /** BLAKE2f; its first four bytes are the number of rounds. */
  9: input => (input.length < 4 ? 0 : new DataView(input.buffer, input.byteOffset).getUint32(0) / 3_400),
  /** BLS12-381 G1 MSM. */
  12: input => (input.length / 160) * 2,
  /** BLS12-381 G2 MSM. */
  14: input => (input.length / 288) * 6,
  /** BLS12-381 pairing. */
  15: input => (input.length / 384) * 5,
}

type RunPrecompile = (code: unknown, input: Uint8Array, gasLimit: bigint) => unknown

/** Has no precompile called that would end after its transaction's time: it ends as if its gas were not enough. */
export function limitPrecompiles(evm: EVM, timeLimit: TimeLimit): void {
  const limited = evm as unknown as { precompiles: Map<string, unknown>; runPrecompile: RunPrecompile }
  invariant(typeof limited.runPrecompile === 'function', 'the EVM library has the method that runs precompiles')
  const runPrecompile = limited.runPrecompile.bind(evm)
  const timings = new Map(
    [...limited.precompiles].map(([address, code]) => [code, expectedMs[Number(`0x${address}`)]] as const),
  )
  limited.runPrecompile = (code, input, gasLimit) => {
    if (!timeLimit.strikes(timings.get(code)?.(input) ?? 0)) return runPrecompile(code, input, gasLimit)
    return {
      returnValue: new Uint8Array(0),
      executionGasUsed: gasLimit,
      exceptionError: new EVMError(EVMError.errorMessages.OUT_OF_GAS),
    }
  }
}
