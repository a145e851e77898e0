import { beforeEach, describe, expect, it } from 'vitest'
import { silentLogger } from '../telemetry/logger.js'
import { silentMetrics } from '../telemetry/metrics.js'
import { VirtualClock } from '../time/virtual-clock.js'
import { PeerBans } from './peer-bans.js'

const key = (n: number) => new Uint8Array(48).fill(n)
const forged = { reason: 'forged vote' }

describe('PeerBans: the keys of a peer that left', () => {
  let clock: VirtualClock
  let bans: PeerBans
  beforeEach(() => {
    clock = new VirtualClock()
    bans = new PeerBans(30_000, { clock, logger: silentLogger, metrics: silentMetrics })
  })
  const banned = (...keys: number[]) => keys.filter(n => bans.isKeyBanned(key(n)))

  it('answer for it for a minute', async () => {
    bans.leaves('a', key(1))
    bans.leaves('b', key(2))
    await clock.advance(59_999)
    bans.judge('a', null, forged)
    await clock.advance(1)
    bans.judge('b', null, forged)
    expect(banned(1, 2)).toEqual([1])
  })

  it('answer all of them, whichever it came back with', () => {
    bans.leaves('a', key(1))
    bans.leaves('a', key(2))
    bans.judge('a', key(3), forged)
    expect(banned(1, 2, 3)).toEqual([1, 2, 3])
  })

  it('count once, however often it came and went', () => {
    for (let i = 0; i < 3; i++) bans.leaves('a', key(1))
    bans.judge('a', key(1), { reason: 'malformed', severity: 'heavy' })
    expect(banned(1)).toEqual([])
  })

  it('are forgotten when there are too many, the oldest first', () => {
    for (const peer of ['a', 'b', ...Array.from({ length: 1_023 }, (_, i) => `${i}`)])
      bans.leaves(peer, key(peer === 'a' ? 1 : peer === 'b' ? 2 : 3))
    bans.judge('a', null, forged)
    bans.judge('b', null, forged)
    expect(banned(1, 2)).toEqual([2])
  })
})
