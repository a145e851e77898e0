import { describe, expect, it } from 'vitest'
import { systemClock } from '../time/system-clock.js'
import { VirtualClock } from '../time/virtual-clock.js'
import { readChannel } from './channel-reader.js'
import { frameHead } from './frame-reader.js'
import type { Stream } from './libp2p-node.js'
import { limitsOf, type PeerKind } from './network-limits.js'
import type { Channel } from './peer-network.js'

/** A stream that the test feeds; as libp2p's it keeps what comes while it is paused. */
class FakeStream extends EventTarget {
  status = 'open'
  readStatus: 'readable' | 'paused' | 'closed' = 'readable'
  maxStreamWindowSize = 0
  private kept: Uint8Array[] = []
  get readBufferLength() {
    return this.kept.reduce((sum, { length }) => sum + length, 0)
  }
  feed(data: Uint8Array) {
    this.kept.push(data)
    if (!this.isPaused) this.flush()
  }
  get isPaused() {
    return this.readStatus === 'paused'
  }
  pause() {
    if (this.readStatus === 'closed') throw new Error('cannot pause')
    this.readStatus = 'paused'
  }
  resume() {
    if (this.readStatus === 'closed') throw new Error('cannot resume')
    this.readStatus = 'readable'
    this.flush()
  }
  /** The peer sends no more: so libp2p does once all that came is handed over. */
  closeByPeer() {
    this.readStatus = 'closed'
  }
  close() {
    this.status = 'closed'
    this.dispatchEvent(new Event('close'))
  }
  private flush() {
    for (const data of this.kept.splice(0)) this.dispatchEvent(Object.assign(new Event('message'), { data }))
  }
}

const frames = (count: number, from = 0) => {
  const flood = new Uint8Array(count * 8)
  for (let i = 0; i < count; i++) flood.set([...frameHead(4), ...frameHead(from + i)], i * 8)
  return flood
}
const numberOf = (message: Uint8Array) => new DataView(message.buffer, message.byteOffset).getUint32(0)
const spin = (ms: number) => {
  const end = performance.now() + ms
  while (performance.now() < end);
}

function startReader({
  clock = systemClock as Parameters<typeof readChannel>[0]['clock'],
  channel = 'batches' as Channel,
  kind = 'sequencer' as PeerKind | (() => PeerKind),
  handle = (_message: Uint8Array) => {},
} = {}) {
  const stream = new FakeStream()
  const seen: number[] = []
  const errors: Error[] = []
  const held: number[] = []
  readChannel({
    stream: stream as unknown as Stream,
    channel,
    kind: typeof kind === 'string' ? () => kind : kind,
    clock,
    received: message => {
      seen.push(numberOf(message))
      handle(message)
    },
    held: bytes => held.push(bytes),
    failed: error => errors.push(error),
  })
  return { stream, seen, errors, held }
}

/** The most that was counted up between two turns of the event loop until the count is reached. */
async function mostInOneTurn(total: number, count: () => number): Promise<number> {
  let most = 0
  let before = count()
  for (const end = performance.now() + 20_000; before < total && performance.now() < end; before = count()) {
    await new Promise(resolve => setImmediate(resolve))
    most = Math.max(most, count() - before)
  }
  return most
}

describe('readChannel', () => {
  it('handles a part that holds one message before anything else, without a pause', () => {
    const { stream, seen } = startReader()
    stream.feed(frames(1, 7))
    expect(seen).toEqual([7])
    expect(stream.isPaused).toBe(false)
  })

  it('gives others their turn after a few milliseconds, and keeps order', async () => {
    const { stream, seen } = startReader({ handle: () => spin(0.2) })
    stream.feed(frames(400))
    expect(seen.length).toBeLessThan(30)
    stream.feed(frames(100, 400))
    expect(await mostInOneTurn(500, () => seen.length)).toBeLessThan(30)
    expect(seen).toEqual(Array.from({ length: 500 }, (_, i) => i))
    for (let turn = 0; stream.isPaused && turn < 100; turn++) await new Promise(resolve => setImmediate(resolve))
    stream.feed(frames(1, 500))
    expect(seen.at(-1)).toBe(500)
  })

  it('cuts no more frames at once than it may hand on', async () => {
    const { stream, seen } = startReader({ channel: 'consensus' })
    const flood = frames(250_000)
    const before = performance.now()
    stream.feed(flood)
    // Cutting them all takes 300 ms and more.
    expect(performance.now() - before).toBeLessThan(60)
    expect(seen.length).toBeLessThan(1_000)
    stream.close()
  })

  it('asks the rate before each message', async () => {
    const clock = new VirtualClock(1_000)
    const { stream, seen } = startReader({ clock, kind: 'stranger' })
    const { messagesPerSec } = limitsOf('batches', 'stranger')
    stream.feed(frames(3 * messagesPerSec))
    for (let turn = 0; turn < 100; turn++) await clock.advance(0)
    expect(seen.length).toBe(messagesPerSec)
    expect(stream.isPaused).toBe(true)
    await clock.advance(1_000)
    expect(Math.abs(seen.length - 2 * messagesPerSec)).toBeLessThan(20)
    for (let turn = 0; turn < 40; turn++) await clock.advance(50)
    expect(seen.length).toBe(3 * messagesPerSec)
    expect(stream.isPaused).toBe(false)
  })

  it('lets all strangers together take no longer turns than one', async () => {
    const readers = Array.from({ length: 40 }, () => startReader({ kind: 'stranger', handle: () => spin(0.2) }))
    const seen = () => readers.reduce((sum, reader) => sum + reader.seen.length, 0)
    for (const { stream } of readers) stream.feed(frames(20))
    expect(seen()).toBeLessThan(60)
    expect(await mostInOneTurn(800, seen)).toBeLessThan(60)
    expect(seen()).toBe(800)
  })

  it('tells of all that waits: what is not cut, the frame under way, and what the paused stream keeps', async () => {
    const clock = new VirtualClock(1_000)
    const { stream, seen, held } = startReader({ clock, kind: 'stranger' })
    const { messagesPerSec } = limitsOf('batches', 'stranger')
    const flood = frames(2 * messagesPerSec)
    const begun = Uint8Array.of(...frameHead(100_000), 7)
    stream.feed(flood)
    for (let turn = 0; turn < 100; turn++) await clock.advance(0)
    expect(seen.length).toBe(messagesPerSec)
    expect(held.at(-1)).toBeGreaterThanOrEqual(flood.length)
    stream.feed(begun)
    await clock.advance(5)
    expect(held.at(-1)).toBeGreaterThanOrEqual(flood.length + begun.length)
    for (let turn = 0; turn < 40; turn++) await clock.advance(50)
    expect(seen.length).toBe(2 * messagesPerSec)
    expect(held.at(-1)).toBe(64 << 10)
  })

  it('gives strangers small windows, and others large ones as soon as it knows them', () => {
    let kind: PeerKind = 'stranger'
    const { stream } = startReader({ kind: () => kind })
    expect(stream.maxStreamWindowSize).toBe(256 << 10)
    kind = 'sequencer'
    stream.feed(frames(1))
    expect(stream.maxStreamWindowSize).toBe(2 << 20)
  })

  it('hands on what a peer sent before it closed its side', async () => {
    const clock = new VirtualClock(1_000)
    const { stream, seen } = startReader({ clock, kind: 'stranger' })
    stream.feed(frames(900))
    stream.closeByPeer()
    for (let turn = 0; turn < 40; turn++) await clock.advance(50)
    expect(seen.length).toBe(900)
  })

  it('hands on nothing once the stream is closed, or a frame is too long', async () => {
    const { stream, seen } = startReader({ handle: () => spin(0.2) })
    stream.feed(frames(400))
    stream.close()
    const { length } = seen
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(seen.length).toBe(length)
    const other = startReader()
    other.stream.feed(new Uint8Array(4).fill(255))
    expect(other.errors.length).toBe(1)
    other.stream.feed(frames(1))
    expect(other.seen).toEqual([])
  })
})
