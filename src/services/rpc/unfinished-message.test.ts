import { expect, it } from 'vitest'
import { UnfinishedMessage } from './unfinished-message.js'

const chunk = (length: number) => new Uint8Array(length)

it('weighs what has come since the last message, small pieces for what they occupy', () => {
  const unfinished = new UnfinishedMessage()
  unfinished.onChunk(chunk(1_000))
  expect(unfinished.heldBytes).toBe(0)
  unfinished.onChunk(chunk(1_000))
  expect(unfinished.heldBytes).toBeGreaterThanOrEqual(2_000)
  for (let i = 0; i < 1_000; i++) unfinished.onChunk(chunk(1))
  expect(unfinished.heldBytes).toBeGreaterThan(100_000)
  unfinished.onMessage()
  expect(unfinished.heldBytes).toBe(0)
})

it('is overdue when it was unfinished at the look before, and control frames are no part of it', () => {
  const unfinished = new UnfinishedMessage()
  const pong = () => {
    unfinished.onChunk(chunk(4))
    unfinished.onChunk(chunk(6))
    unfinished.onControlFrame(chunk(4))
  }
  for (let look = 0; look < 4; look++) {
    pong()
    expect([unfinished.isOverdue(), unfinished.heldBytes]).toEqual([false, 0])
  }
  unfinished.onChunk(chunk(9))
  pong()
  expect(unfinished.isOverdue()).toBe(false)
  unfinished.onMessage()
  unfinished.onChunk(chunk(9))
  expect(unfinished.isOverdue()).toBe(false)
  pong()
  expect(unfinished.isOverdue()).toBe(true)
})
