import { describe, expect, it } from 'vitest'
import type { Block } from '../../base/protocol/block.js'
import { defaultParameters, devnetParameters } from '../../base/protocol/protocol-parameters.js'
import { batchParametersProblem, isSealedBefore, isSealedBy } from './seal-policy.js'

const at = (number: number, timestampMs: number, setId = 1, version = 1) =>
  ({ header: { number }, context: { timestampMs, setId, version } }) as Block
const parameters = { batchBlocks: 5, batchIntervalMs: 1_000 }
const first = at(11, 10_000)

describe('seal policy', () => {
  it.each([
    ['by number of blocks', at(15, 10_400), 1, true],
    ['not one block earlier', at(14, 10_400), 1, false],
    ['by time', at(12, 11_000), 1, true],
    ['not a millisecond earlier', at(12, 10_999), 1, false],
    ['when another set signs the next block', at(12, 10_100), 2, true],
  ])('seals %s', (_, last, nextSetId, expected) => {
    expect(isSealedBy({ first, last, nextSetId, parameters })).toBe(expected)
  })

  it('seals a first block alone where the rule says so', () => {
    expect(isSealedBy({ first, last: first, nextSetId: 2, parameters })).toBe(true)
    const alone = { ...parameters, batchBlocks: 1 }
    expect(isSealedBy({ first, last: first, nextSetId: 1, parameters: alone })).toBe(true)
  })

  it('seals before a block of another protocol version, and not again after its first', () => {
    expect(isSealedBefore(at(13, 10_200, 1, 2), at(12, 10_100))).toBe(true)
    expect(isSealedBefore(at(14, 10_300, 1, 2), at(13, 10_200, 1, 2))).toBe(false)
  })

  it('finds every block of the default networks to fit a batch', () => {
    expect(batchParametersProblem(defaultParameters)).toBeNull()
    expect(batchParametersProblem(devnetParameters)).toBeNull()
  })

  it.each([
    ['too few blobs for a block', { maxBlobsPerBatch: 5 }],
    ['no blob', { maxBlobsPerBatch: 0 }],
    ['batches without blocks', { batchBlocks: 0 }],
    ['batches that no reader reads', { batchBlocks: 1_000_000 }],
    ['a block larger than any payload', { maxBlobsPerBatch: 100, maxBlockTransactionBytes: 5_000_000 }],
  ])('names what is wrong with %s', (_, change) => {
    expect(batchParametersProblem({ ...defaultParameters, ...change })).toBeTypeOf('string')
  })
})
