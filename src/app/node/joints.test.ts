import { expect, test } from 'vitest'
import type { Hash32 } from '../../base/primitives/hashes.js'
import type { L1Message } from '../../base/protocol/l1-message.js'
import type { L1Block } from '../../io/l1/l1-client.js'
import { VirtualClock } from '../../io/time/virtual-clock.js'
import { keepLabels, knownMessages } from './joints.js'

const hash = (byte: string): Hash32 => `0x${byte.repeat(32)}`
const origin = { number: 7, hash: hash('07') }
const block: L1Block = { ...origin, parentHash: hash('06'), timestamp: 7 }
const messages: L1Message[] = []

/** Asks for messages while the clock runs; what came, and after how many milliseconds. */
async function ask(view: { held: L1Block | null; refresh: (clock: VirtualClock) => Promise<void> }) {
  const clock = new VirtualClock()
  let tookMs = -1
  const asked = knownMessages({
    follower: { canonical: () => view.held, messages: () => messages, refresh: () => view.refresh(clock) },
    clock,
    range: { from: 0, to: 0, origin },
  }).finally(() => {
    tookMs = clock.nowMs()
  })
  for (let ms = 0; ms < 2_000 && tookMs < 0; ms += 10) await clock.advance(10)
  return { found: await asked, tookMs }
}

const never = () => new Promise<void>(() => {})

test('messages of an origin that is known are given at once', async () => {
  expect(await ask({ held: block, refresh: never })).toEqual({ found: messages, tookMs: 0 })
})

test('a view that lags has a moment to reach the origin', async () => {
  const view = {
    held: null as L1Block | null,
    refresh: async (clock: VirtualClock) => {
      await new Promise<void>(resolve => clock.schedule(300, resolve))
      view.held = block
    },
  }
  const { found, tookMs } = await ask(view)
  expect(found).toBe(messages)
  expect(tookMs).toBeGreaterThanOrEqual(300)
})

test.each([
  ['never answers', null, never],
  ['lags', null, async () => {}],
  ['is on a fork', { ...block, hash: hash('ff') }, async () => {}],
])('nothing is known within half a second of an L1 that %s', async (_, held, refresh) => {
  const { found, tookMs } = await ask({ held, refresh })
  expect(found).toBeNull()
  expect(tookMs).toBeLessThanOrEqual(510)
})

test('labels are set at the start from what is known of L1, and with each change of it', async () => {
  const set: unknown[] = []
  const committed = [1, 2]
  let changed = () => {}
  keepLabels({
    chain: { setLabels: async labels => void set.push(labels) },
    batcher: { batch: async index => ({ header: { lastBlock: 10 * index } }) },
    follower: {
      lastCommitted: () => committed.shift()!,
      lastFinalized: () => 0,
      onChange: handler => {
        changed = handler
        return () => {}
      },
    },
    fail: error => {
      throw error
    },
  })
  await expect.poll(() => set).toEqual([{ safe: 10, finalized: 0 }])
  changed()
  await expect.poll(() => set.at(-1)).toEqual({ safe: 20, finalized: 0 })
})
