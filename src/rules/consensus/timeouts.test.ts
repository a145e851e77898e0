import { expect, it } from 'vitest'
import { defaultParameters } from '../../base/protocol/protocol-parameters.js'
import { timeoutMs } from './timeouts.js'

it('grows linearly with the round and is capped', () => {
  const propose = [0, 1, 2, 36, 37, 1_000_000].map(round => timeoutMs(defaultParameters, 'propose', round))
  expect(propose).toEqual([1_000, 1_250, 1_500, 10_000, 10_000, 10_000])
  for (const step of ['prevote', 'precommit'] as const)
    expect([0, 1, 96, 97].map(round => timeoutMs(defaultParameters, step, round))).toEqual([400, 500, 10_000, 10_000])
})
