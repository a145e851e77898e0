import { describe, expect, it } from 'vitest'
import type { Hex } from '../primitives/bytes.js'
import { type BatchHeader, batchHash, genesisBatchHeader, hashOfBlobHashes } from './batch-header.js'
import { readVectors } from './vectors.fixture.js'

interface BatchHeaderCase {
  readonly name: string
  readonly header: Readonly<Record<keyof BatchHeader, string | number>>
  readonly blobHashes: readonly Hex[]
  readonly batchHash: Hex
}

const { cases } = readVectors<{ cases: readonly BatchHeaderCase[] }>('batch-header')

/** Integers that a JavaScript number does not hold stay bigint: the hash must not round them. */
function headerOf(header: BatchHeaderCase['header']): BatchHeader {
  const read = ([name, value]: [string, string | number]) => {
    if (typeof value === 'number' || value.startsWith('0x')) return [name, value]
    return [name, Number.isSafeInteger(Number(value)) ? Number(value) : BigInt(value)]
  }
  return Object.fromEntries(Object.entries(header).map(read)) as unknown as BatchHeader
}

describe('batch header', () => {
  it.each(cases)('$name: has the hash of the vector', ({ header, blobHashes, batchHash: expected }) => {
    expect(batchHash(headerOf(header))).toBe(expected)
    if (blobHashes.length > 0) expect(hashOfBlobHashes(blobHashes)).toBe(header.blobHashesHash)
  })

  it('of genesis is that of the vector', () => {
    const { header } = cases.find(({ name }) => name === 'genesis')!
    expect(
      genesisBatchHeader({ blockHash: header.lastBlockHash as Hex, stateRoot: header.postStateRoot as Hex }),
    ).toEqual(headerOf(header))
  })
})
