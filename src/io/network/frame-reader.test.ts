import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesEqual, concatBytes } from '../../base/primitives/bytes.js'
import { FrameReader, frameHead } from './frame-reader.js'

const framed = (body: Uint8Array) => concatBytes(frameHead(body.length), body)

describe('FrameReader', () => {
  it('gives the frames back however the bytes are cut', () => {
    const bodies = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 6 })
    const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 })
    fc.assert(
      fc.property(bodies, cuts, (bodies, cuts) => {
        const bytes = concatBytes(...bodies.map(framed))
        const reader = new FrameReader(50)
        const frames: Uint8Array[] = []
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const length = cuts[i % cuts.length]!
          frames.push(...reader.read(bytes.subarray(at, at + length)))
          at += length
        }
        expect(frames).toEqual(bodies)
      }),
    )
  })

  it('gives a large frame back, and one after it', () => {
    const large = new Uint8Array(1_000_000).map((_, i) => i * 7)
    const reader = new FrameReader(1_000_000)
    const bytes = concatBytes(framed(large), framed(Uint8Array.of(1)))
    const frames: Uint8Array[] = []
    for (let at = 0; at < bytes.length; at += 65_535) frames.push(...reader.read(bytes.subarray(at, at + 65_535)))
    expect(frames.map(frame => frame.length)).toEqual([1_000_000, 1])
    expect(bytesEqual(frames[0]!, large)).toBe(true)
  })

  it('refuses a frame above its limit at its head, the greatest length too', () => {
    expect(() => new FrameReader(10).read(frameHead(11))).toThrow(
      expect.objectContaining({ code: 'MESSAGE_TOO_LARGE' }),
    )
    expect(() => new FrameReader(10).read(Uint8Array.of(255, 255, 255, 255))).toThrow(/4294967295/)
  })

  it('hands out memory of its own', () => {
    const bytes = framed(Uint8Array.of(1, 2, 3))
    const [frame] = new FrameReader(10).read(bytes)
    bytes.fill(0)
    expect([...frame!]).toEqual([1, 2, 3])
  })
})
