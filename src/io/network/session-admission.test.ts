import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { PeerKind } from './network-limits.js'
import { admitSession, type LiveSession } from './session-admission.js'

const limits = { inboundStrangers: 3, placeHoldMs: 10_000 }
const key = (n: number) => new Uint8Array(48).fill(n)
const live = (id: string, fields: Partial<LiveSession> = {}, keyOf: number | null = null): LiveSession => ({
  peer: { id, consensusKey: keyOf === null ? null : key(keyOf) },
  kind: 'stranger',
  isInbound: true,
  heardAtMs: 0,
  ...fields,
})
const ask = (one: LiveSession, others: LiveSession[], { nowMs = 0, configured = [] as string[] } = {}) =>
  admitSession({ ...one, live: others, isConfigured: id => configured.includes(id), limits, nowMs })

describe('admitSession', () => {
  it('gives strangers that dial so many places, and everybody else one besides', () => {
    const full = ['a', 'b', 'c'].map(id => live(id))
    expect(ask(live('d'), full)).toEqual({ refusal: 'NO_PLACE' })
    expect(ask(live('d'), full.slice(1))).toEqual({ refusal: null, replaces: [] })
    for (const kind of ['sequencer', 'configured'] as const)
      expect(ask(live('d', { kind }), full)).toEqual({ refusal: null, replaces: [] })
    expect(ask(live('d', { isInbound: false }), full)).toEqual({ refusal: null, replaces: [] })
    expect(ask(live('d'), [...full.slice(1), live('s', { kind: 'sequencer' })]).refusal).toBe(null)
    // Who comes again takes its own place.
    expect(ask(live('a'), full, { nowMs: 10_000 })).toEqual({ refusal: null, replaces: ['a'] })
  })

  it('lets the newer of two peer ids with one key have the session once the older one is silent for long enough', () => {
    const old = live('old', { kind: 'sequencer' }, 1)
    const heir = live('new', { kind: 'sequencer' }, 1)
    expect(ask(heir, [old], { nowMs: 9_999 })).toEqual({ refusal: 'KEY_IN_USE' })
    expect(ask(heir, [old], { nowMs: 10_000 })).toEqual({ refusal: null, replaces: ['old'] })
    expect(ask(live('new', {}, 2), [old])).toEqual({ refusal: null, replaces: [] })
    expect(ask(live('new'), [live('old')])).toEqual({ refusal: null, replaces: [] })
  })

  it('keeps the session of a peer that is heard from a second process with its peer id, unless only that one has a key', () => {
    const first = live('twin', { kind: 'sequencer' }, 1)
    const second = live('twin', { kind: 'sequencer' }, 1)
    const keyless = live('twin', { kind: 'configured' })
    expect(ask(second, [first], { nowMs: 9_999 })).toEqual({ refusal: 'PEER_ID_IN_USE' })
    expect(ask(second, [first], { nowMs: 10_000 })).toEqual({ refusal: null, replaces: ['twin'] })
    expect(ask(keyless, [keyless])).toEqual({ refusal: 'PEER_ID_IN_USE' })
    expect(ask(keyless, [first])).toEqual({ refusal: 'PEER_ID_IN_USE' })
    expect(ask(second, [keyless])).toEqual({ refusal: null, replaces: ['twin'] })
    const elsewhere = live('other', { kind: 'sequencer' }, 1)
    expect(ask(second, [keyless, elsewhere])).toEqual({ refusal: 'KEY_IN_USE' })
    expect(ask(second, [keyless, elsewhere], { nowMs: 10_000 })).toEqual({ refusal: null, replaces: ['twin', 'other'] })
  })

  it('never lets another peer id take the session of a configured one, and lets the configured one take it back at once', () => {
    const real = live('real', { kind: 'sequencer' }, 1)
    const thief = live('thief', { kind: 'sequencer' }, 1)
    const configured = ['real']
    expect(ask(thief, [real], { nowMs: 10 ** 9, configured })).toEqual({ refusal: 'KEY_IN_USE' })
    expect(ask(real, [thief], { configured })).toEqual({ refusal: null, replaces: ['thief'] })
  })

  it('keeps one session a key and the places of strangers, whoever comes and goes', () => {
    const comer = fc.record({
      id: fc.nat(12).map(n => `peer ${n}`),
      keyOf: fc.option(fc.nat(3)),
      kind: fc.constantFrom<PeerKind>('sequencer', 'configured', 'stranger'),
      isInbound: fc.boolean(),
      afterMs: fc.nat(8_000),
      leaves: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(comer, { maxLength: 60 }), comers => {
        const sessions = new Map<string, LiveSession>()
        let nowMs = 0
        for (const { id, keyOf, kind, isInbound, afterMs, leaves } of comers) {
          nowMs += afterMs
          if (leaves) sessions.delete(id)
          const session = live(id, { kind, isInbound, heardAtMs: nowMs }, keyOf)
          const answer = ask(session, [...sessions.values()], { nowMs, configured: ['peer 1'] })
          if (answer.refusal !== null) continue
          for (const replaced of answer.replaces) sessions.delete(replaced)
          sessions.set(id, session)
          const keys = [...sessions.values()].flatMap(({ peer }) => (peer.consensusKey ? [peer.consensusKey[0]] : []))
          expect(new Set(keys).size).toBe(keys.length)
        }
        const strangers = [...sessions.values()].filter(s => s.kind === 'stranger' && s.isInbound)
        // One more for each key that a stranger took over from somebody who was not counted.
        expect(strangers.length).toBeLessThanOrEqual(limits.inboundStrangers + 4)
      }),
      { seed: 3 },
    )
  })
})
