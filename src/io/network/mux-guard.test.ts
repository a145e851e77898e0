import { yamux } from '@libp2p/yamux'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../time/virtual-clock.js'
import type { Libp2pStreamMuxerFactory } from './libp2p-node.js'
import { guardMuxer, MuxFrames } from './mux-guard.js'
import { NetworkError } from './network-error.js'
import { muxLimits } from './network-limits.js'

const [data, windowUpdate, ping] = [0, 1, 2]
const syn = 1

function frame({ type = data, flags = 0, stream = 1, length = 0, version = 0, payload = true }): Uint8Array {
  const bytes = new Uint8Array(12 + (type === data && payload ? length : 0))
  const view = new DataView(bytes.buffer)
  view.setUint8(0, version)
  view.setUint8(1, type)
  view.setUint16(2, flags)
  view.setUint32(4, stream)
  view.setUint32(8, length)
  return bytes
}

function session(): MuxFrames {
  const frames = new MuxFrames(0)
  frames.isSession = true
  return frames
}

const breach = (what: RegExp) =>
  expect.objectContaining({ code: 'BAD_MULTIPLEXING', message: expect.stringMatching(what) })
const thrownBy = (act: () => void): unknown => {
  try {
    act()
  } catch (error) {
    return error
  }
  return null
}

describe('MuxFrames', () => {
  it('takes honest frames in whatever pieces they come', () => {
    const whole = Buffer.concat([
      frame({ type: windowUpdate, flags: syn, length: 256 << 10 }),
      frame({ length: 60 << 10 }),
      frame({ type: ping, flags: syn, stream: 0, length: 7 }),
      frame({ length: 100 }),
    ])
    session().read(whole, 0)
    const bytewise = session()
    for (const byte of whole) bytewise.read(Uint8Array.of(byte), 0)
    const big = session()
    big.read(frame({ length: muxLimits.frameBytes }), 0)
    big.read(frame({}), 0)
  })

  it('breaks off at the header of a frame that nobody could hold, before any byte of it', () => {
    for (const length of [muxLimits.frameBytes + 1, 2 ** 31, 2 ** 32 - 1])
      expect(thrownBy(() => session().read(frame({ length, payload: false }), 0))).toEqual(breach(/bytes/))
  })

  it('breaks off at what is no frame', () => {
    expect(thrownBy(() => session().read(frame({ version: 1 }), 0))).toEqual(breach(/no Yamux frame/))
    expect(thrownBy(() => session().read(frame({ type: 4 }), 0))).toEqual(breach(/no Yamux frame/))
  })

  it('bounds what costs an answer or a stream', () => {
    const flood = (one: Uint8Array, count: number) => {
      const frames = session()
      return thrownBy(() => {
        for (let i = 0; i < count; i++) frames.read(one, 0)
      })
    }
    const pings = frame({ type: ping, flags: syn, stream: 0 })
    expect(flood(pings, muxLimits.controlFramesPerSec)).toBe(null)
    expect(flood(pings, muxLimits.controlFramesPerSec + 1)).toEqual(breach(/too many frames/))
    expect(flood(frame({}), muxLimits.controlFramesPerSec + 1)).toEqual(breach(/too many frames/))
    const opening = frame({ type: windowUpdate, flags: syn })
    expect(flood(opening, muxLimits.opensPerSec)).toBe(null)
    expect(flood(opening, muxLimits.opensPerSec + 1)).toEqual(breach(/too fast/))
    const steady = session()
    for (let ms = 0; ms < 20_000; ms++) for (let i = 0; i < 5; i++) steady.read(pings, ms)
  })

  it('lets little be said before the handshake', () => {
    const opening = frame({ type: windowUpdate, flags: syn })
    const frames = new MuxFrames(0)
    for (let i = 0; i < muxLimits.streamsBeforeSession; i++) frames.read(opening, 0)
    expect(thrownBy(() => frames.read(opening, 0))).toEqual(breach(/streams before/))
    const talker = new MuxFrames(0)
    const piece = frame({ length: 64 << 10 })
    expect(
      thrownBy(() => {
        for (let i = 0; i < 33; i++) talker.read(piece, 0)
      }),
    ).toEqual(breach(/bytes before/))
  })

  it('never throws anything else at garbage and at mutated frames, and never throws at honest ones', () => {
    const honest = fc.array(
      fc.record({
        type: fc.constantFrom(data, windowUpdate, ping, 3),
        flags: fc.nat(15),
        stream: fc.nat(),
        length: fc.nat(5_000),
      }),
      { maxLength: 30 },
    )
    const cuts = fc.array(fc.nat(300), { maxLength: 30 })
    const mutations = fc.array(fc.record({ at: fc.nat(20_000), to: fc.nat(255) }), { minLength: 1, maxLength: 8 })
    const read = (bytes: Uint8Array, sizes: readonly number[]) => {
      const frames = session()
      let at = 0
      for (const size of sizes) {
        frames.read(bytes.subarray(at, at + size), 0)
        at += size
      }
      frames.read(bytes.subarray(at), 0)
    }
    fc.assert(
      fc.property(honest, cuts, mutations, (told, sizes, changes) => {
        const bytes = Buffer.concat(told.map(frame))
        read(bytes, sizes)
        for (const { at, to } of changes) if (at < bytes.length) bytes[at] = to
        const error = thrownBy(() => read(bytes, sizes))
        if (error !== null) expect(error).toBeInstanceOf(NetworkError)
      }),
      { seed: 5, numRuns: 300 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), cuts, (bytes, sizes) => {
        const error = thrownBy(() => read(bytes, sizes))
        if (error !== null) expect(error).toBeInstanceOf(NetworkError)
      }),
      { seed: 6, numRuns: 300 },
    )
  })
})

describe('guardMuxer', () => {
  it('aborts a connection that takes no more bytes, where libp2p would throw', () => {
    const silent = Object.assign(() => {}, { error: () => {}, trace: () => {}, newScope: () => silent })
    const connection = () =>
      Object.assign(new EventTarget(), {
        log: silent,
        direction: 'outbound',
        send: () => {
          throw new Error('Cannot write to a stream that is closed')
        },
      }) as unknown as Parameters<Libp2pStreamMuxerFactory['createStreamMuxer']>[0]
    const factory = yamux({ enableKeepAlive: false })()
    expect(() => factory.createStreamMuxer(connection()).abort(new Error('no pong'))).toThrow('Cannot write')
    const guarded = guardMuxer(factory, { clock: new VirtualClock(0), isProtocol: () => true })
    const muxer = guarded.createStreamMuxer(connection())
    muxer.abort(new Error('no pong'))
    expect(muxer.status).toBe('closed')
  })
})
