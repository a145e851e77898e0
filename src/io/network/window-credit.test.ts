import { describe, expect, it } from 'vitest'
import { creditByHalves } from './window-credit.js'

const established = 3

describe('creditByHalves', () => {
  /** A stream that has taken so many bytes of its window of 100. */
  function streamWith({ taken, state = established }: { taken: number; state?: number }) {
    const stream = { recvWindow: 100, recvWindowCapacity: 100 - taken, state, updates: 0, sendWindowUpdate: () => {} }
    stream.sendWindowUpdate = () => {
      stream.updates++
    }
    creditByHalves(stream)
    return stream
  }

  it('tells of new room from half of the window on', () => {
    for (const [taken, updates] of [
      [1, 0],
      [49, 0],
      [50, 1],
      [100, 1],
    ] as const) {
      const stream = streamWith({ taken })
      stream.sendWindowUpdate()
      expect(stream.updates, `${taken} taken`).toBe(updates)
    }
  })

  it('never holds back the flags of a stream that is not established', () => {
    const stream = streamWith({ taken: 1, state: 2 })
    stream.sendWindowUpdate()
    expect(stream.updates).toBe(1)
  })

  it('refuses what is no Yamux stream', () => {
    expect(() => creditByHalves({})).toThrow('a Yamux stream has a receive window')
  })
})
