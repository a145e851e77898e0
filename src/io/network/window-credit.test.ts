import { describe, expect, it } from 'vitest'
import { creditByHalves } from './window-credit.js'

const established = 3

describe('creditByHalves', () => {
  /** A stream that has taken so many bytes of its window of 100. */
  function streamWith({
    taken,
    state = established,
    status = 'open',
    tell = () => {},
  }: {
    taken: number
    state?: number
    status?: string
    tell?: () => void
  }) {
    const stream = {
      recvWindow: 100,
      maxStreamWindowSize: 100,
      recvWindowCapacity: 100 - taken,
      state,
      status,
      updates: 0,
      abortedBy: null as Error | null,
      sendWindowUpdate: () => {
        stream.updates++
        tell()
      },
      abort: (error: Error) => {
        stream.abortedBy = error
      },
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

  it('tells nothing once the stream is over, whatever its state', () => {
    for (const status of ['aborted', 'reset', 'closed']) {
      const stream = streamWith({ taken: 100, status })
      stream.sendWindowUpdate()
      expect(stream.updates, status).toBe(0)
    }
  })

  it('gives up a stream that cannot tell, and throws at nobody', () => {
    const failure = new Error('Cannot write to a stream that is closed')
    const stream = streamWith({
      taken: 100,
      tell: () => {
        throw failure
      },
    })
    stream.sendWindowUpdate()
    expect(stream.abortedBy).toBe(failure)
  })

  it('refuses what is no Yamux stream', () => {
    expect(() => creditByHalves({})).toThrow('a Yamux stream has a receive window')
  })
})
