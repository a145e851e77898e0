import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { banThreshold, defaultScorePolicy, PeerScores, type Severity } from './peer-score.js'

const policy = { ...defaultScorePolicy, banMs: 30_000 }
const severity = fc.constantFrom<Severity>('light', 'heavy', 'grave', 'foreign')
const offences = fc.array(
  fc.record({ id: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), severity, afterMs: fc.nat(200_000) }),
  { maxLength: 60 },
)

describe('PeerScores', () => {
  it('bans a forger at once, a garbler the second time, a nuisance in the end', () => {
    const scores = new PeerScores(policy)
    expect(scores.record('forger', 'grave', 0)).toBe(30_000)
    expect(scores.record('garbler', 'heavy', 0)).toBe(0)
    expect(scores.isBanned('garbler', 0)).toBe(false)
    expect(scores.record('garbler', 'heavy', 1_000)).toBe(30_000)
    for (let i = 0; i < 19; i++) expect(scores.record('nuisance', 'light', 0)).toBe(0)
    expect(scores.record('nuisance', 'light', 0)).toBe(30_000)
  })

  it('forgives with time', () => {
    const scores = new PeerScores(policy)
    scores.record('a', 'heavy', 0)
    expect(scores.points('a', 10_000)).toBe(50)
    expect(scores.record('a', 'heavy', 61_000)).toBe(0)
    for (let second = 0; second < 3_600; second += 5) expect(scores.record('b', 'light', second * 1000)).toBe(0)
  })

  it('doubles the bans of who comes back for more, up to the longest, and begins anew after a quiet time', () => {
    const scores = new PeerScores(policy)
    let nowMs = 0
    const bans = Array.from({ length: 7 }, () => {
      const forMs = scores.record('a', 'grave', nowMs)
      nowMs += forMs
      return forMs
    })
    expect(bans).toEqual([30_000, 60_000, 120_000, 240_000, 480_000, 600_000, 600_000])
    expect(scores.record('a', 'grave', nowMs + policy.maxBanMs + 1)).toBe(30_000)
  })

  it('refuses a foreigner for the first ban only, however often it knocks', () => {
    const scores = new PeerScores(policy)
    for (let i = 0; i < 50; i++) expect(scores.record('a', 'foreign', i * 30_000)).toBe(30_000)
    expect(scores.points('a', 0)).toBe(0)
  })

  it('never remembers more than its capacity, and a ban rather than a mark', () => {
    fc.assert(
      fc.property(offences, fc.integer({ min: 1, max: 4 }), (told, capacity) => {
        const scores = new PeerScores({ ...policy, capacity })
        let nowMs = 0
        for (const { id, severity, afterMs } of told) {
          nowMs += afterMs
          const banned = ['a', 'b', 'c', 'd', 'e', 'f'].filter(other => scores.isBanned(other, nowMs))
          scores.record(id, severity, nowMs)
          expect(scores.size).toBeLessThanOrEqual(capacity)
          // While there is room for all that are banned, none of them is forgotten.
          if (new Set([...banned, id]).size <= capacity)
            for (const other of banned) expect(scores.isBanned(other, nowMs)).toBe(true)
        }
      }),
      { seed: 1 },
    )
  })

  it('keeps every peer below the threshold, bans for bounded times, and judges each peer by its own deeds', () => {
    fc.assert(
      fc.property(offences, told => {
        const scores = new PeerScores(policy)
        const alone = new PeerScores(policy)
        let nowMs = 0
        for (const { id, severity, afterMs } of told) {
          nowMs += afterMs
          const forMs = scores.record(id, severity, nowMs)
          if (id === 'a') expect(alone.record(id, severity, nowMs)).toBe(forMs)
          expect(forMs).toBeLessThanOrEqual(policy.maxBanMs)
          expect(scores.isBanned(id, nowMs + policy.maxBanMs)).toBe(false)
          expect(scores.isBanned('honest', nowMs)).toBe(false)
          for (const other of ['a', id]) expect(scores.points(other, nowMs)).toBeLessThan(banThreshold)
        }
      }),
      { seed: 2 },
    )
  })

  it('does not forgive when the clock steps back', () => {
    const scores = new PeerScores(policy)
    scores.record('a', 'heavy', 100_000)
    expect(scores.points('a', 0)).toBe(60)
    expect(scores.record('a', 'heavy', 0)).toBe(30_000)
  })
})
