import { expect, test } from 'vitest'
import { defaultParameters } from '../../base/protocol/protocol-parameters.js'
import { ringSize } from './deploy-contracts.js'

test('the ring holds more batches than L1 has blocks in a challenge window', () => {
  expect(ringSize(defaultParameters, 12)).toBe(3n * 14_400n + 64n)
})
