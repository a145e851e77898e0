import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { DecodeError } from '../../base/encoding/decode-error.js'
import { concatBytes } from '../../base/primitives/bytes.js'
import { brotliCodec } from './brotli-codec.js'
import { inlineCompression } from './inline-compression.js'
import { createWorkerCompression } from './worker-compression.js'

/** Repetitive, but not trivially so: a counter hashed in runs. */
const sample = concatBytes(
  ...Array.from({ length: 2_000 }, (_, i) =>
    createHash('sha256')
      .update(`${i % 700}`)
      .digest(),
  ),
)

describe.each([
  ['on the calling thread', () => inlineCompression],
  ['in a worker', createWorkerCompression],
])('compression %s', (_, create) => {
  const compression = create()
  afterAll(() => compression.close())

  it('gives back what was compressed', async () => {
    for (const bytes of [new Uint8Array(0), Uint8Array.of(7), sample, new Uint8Array(3_000_000)]) {
      const packed = await compression.compress(bytes)
      expect(Buffer.compare(await compression.decompress(packed, bytes.length), bytes)).toBe(0)
    }
  })

  it('gives the bytes that every machine gives', async () => {
    const packed = await compression.compress(sample)
    expect(createHash('sha256').update(packed).digest('hex')).toBe(
      'adf4afc23c9c62da03652ebf57888afb35b2731e34b1ab781f2fae0fb6f36a01',
    )
  })

  it('leaves the input as it was', async () => {
    const view = sample.subarray(100, 200)
    const before = Uint8Array.from(view)
    await compression.compress(view)
    expect(view).toEqual(before)
  })

  it('refuses output above the limit, without making it', async () => {
    const bomb = await compression.compress(new Uint8Array(64 * 1024 * 1024))
    expect(bomb.length).toBeLessThan(1_000)
    await expect(compression.decompress(bomb, 4_000_000)).rejects.toThrow(DecodeError)
  })

  it('refuses what is cut off, followed by more, or no brotli', async () => {
    const packed = await compression.compress(sample)
    for (const bad of [
      new Uint8Array(0),
      packed.subarray(0, packed.length - 1),
      concatBytes(packed, Uint8Array.of(0)),
      new Uint8Array(100).fill(0xff),
    ])
      await expect(compression.decompress(bad, 1_000_000)).rejects.toThrow(DecodeError)
  })
})

describe('brotli codec', () => {
  it('refuses random and damaged bytes with a DecodeError, and works on', () => {
    const packed = brotliCodec.compress(sample.subarray(0, 5_000))
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(packed.length - 1), (noise, at) => {
        const damaged = packed.slice()
        damaged.set(noise.subarray(0, packed.length - at), at)
        for (const bytes of [noise, damaged]) {
          try {
            brotliCodec.decompress(bytes, 100_000)
          } catch (error) {
            expect(error).toBeInstanceOf(DecodeError)
          }
        }
      }),
      { numRuns: 300 },
    )
    expect(brotliCodec.decompress(packed, 5_000).length).toBe(5_000)
  })
})
