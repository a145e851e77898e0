import { beforeEach, describe, expect, it } from 'vitest'
import { silentLogger } from '../telemetry/logger.js'
import { VirtualClock } from '../time/virtual-clock.js'
import type { AdmissionRefusal } from './session-admission.js'
import { TwinWatch } from './twin-watch.js'

describe('TwinWatch', () => {
  let clock: VirtualClock
  let warned: unknown[]
  let watch: TwinWatch
  beforeEach(() => {
    clock = new VirtualClock(0)
    warned = []
    const logger = { ...silentLogger, warn: (_: string, fields?: object) => warned.push(fields) }
    watch = new TwinWatch({ placeHoldMs: 15_000 }, { clock, logger })
  })
  /** The peers turn this node away every two seconds. */
  const turnAway = async (peers: readonly string[], forMs: number, reason: AdmissionRefusal = 'PEER_ID_IN_USE') => {
    for (let passedMs = 0; passedMs < forMs; passedMs += 2_000) {
      for (const peer of peers) watch.turnedAway(peer, reason)
      await clock.advance(2_000)
    }
  }

  it('warns once of two peers that go on to say so, and again after they were calm', async () => {
    await turnAway(['a', 'b'], 20_000, 'KEY_IN_USE')
    expect(warned).toEqual([{ reason: 'KEY_IN_USE', peers: ['a', 'b'] }])
    await turnAway(['a', 'b', 'c'], 3_600_000)
    expect(warned).toHaveLength(1)
    await clock.advance(300_000)
    await turnAway(['a', 'b'], 20_000)
    expect(warned).toHaveLength(2)
  })

  it('believes neither one peer, nor two that are far apart, nor that a place is wanting', async () => {
    await turnAway(['a'], 60_000)
    await clock.advance(30_000)
    await turnAway(['b'], 60_000)
    await turnAway(['c', 'd'], 60_000, 'NO_PLACE')
    expect(warned).toEqual([])
  })

  it('says nothing of sessions that linger from before the start', async () => {
    await turnAway(['a', 'b', 'c'], 14_000)
    await clock.advance(60_000)
    await turnAway(['a', 'b', 'c'], 14_000)
    expect(warned).toEqual([])
  })
})
