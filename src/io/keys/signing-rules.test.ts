import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keccak256Hex } from '../../base/crypto/keccak.js'
import { asciiToBytes } from '../../base/primitives/bytes.js'
import { type Hash32, zeroHash } from '../../base/primitives/hashes.js'
import { emptyRecord, type SigningRecord } from './signing-record.js'
import {
  type AskedMessage,
  admit,
  judge,
  mergeRecords,
  raiseFloor,
  resume,
  type SignedMessage,
  stopBy,
} from './signing-rules.js'

const digestOf = (text: string) => keccak256Hex(asciiToBytes(text))
const blockOf = (value: number) => digestOf(`block ${value}`)
/** A prevote rests on a polka of the round before, unless told, so that it breaks no lock. */
const message = (
  kind: SignedMessage['kind'],
  [height, round]: [number, number],
  value: number,
  polkaRound = round - 1,
): AskedMessage => {
  const digest = digestOf(`${kind} ${height} ${round} ${value}`)
  if (kind === 'attestation') return { kind, batchIndex: height, digest }
  if (kind === 'proposal') return { kind, height, round, digest }
  return { kind, height, round, digest, blockHash: blockOf(value), polkaRound }
}
const place = (m: SignedMessage) =>
  m.kind === 'attestation' ? `${m.kind} ${m.batchIndex}` : `${m.kind} ${m.height} ${m.round}`
const kinds = ['proposal', 'prevote', 'precommit', 'attestation'] as const
const messages = fc
  .record({
    kind: fc.constantFrom(...kinds),
    height: fc.integer({ min: 1, max: 3 }),
    round: fc.integer({ min: 0, max: 1 }),
    value: fc.integer({ min: 0, max: 1 }),
  })
  .map(({ kind, height, round, value }) => message(kind, [height, round], value))
const signAll = (record: SigningRecord, asked: readonly AskedMessage[]) => {
  let now = record
  const signed: AskedMessage[] = []
  for (const one of asked) {
    const admitted = admit(now, one)
    if (!admitted.ok) continue
    now = admitted.value
    signed.push(one)
  }
  return { record: now, signed }
}
const conflicts = (signed: readonly SignedMessage[]): string[] => {
  const digests = new Map<string, string>()
  return signed.flatMap(one => {
    const before = digests.get(place(one)) ?? one.digest
    digests.set(place(one), one.digest)
    return before === one.digest ? [] : [place(one)]
  })
}

describe('a record', () => {
  it('never admits two messages of one position, nor anything below its floor', () => {
    fc.assert(
      fc.property(fc.array(messages, { maxLength: 30 }), fc.integer({ min: 0, max: 3 }), (asked, floor) => {
        const { signed } = signAll(raiseFloor(emptyRecord, floor), asked)
        expect(conflicts(signed)).toEqual([])
        for (const one of signed) if (one.kind !== 'attestation') expect(one.height).toBeGreaterThan(floor)
      }),
    )
  })

  it('is never stopped by what its own signer signed, now or before a restart', () => {
    fc.assert(
      fc.property(fc.array(messages, { maxLength: 30 }), fc.integer({ min: 0, max: 3 }), (asked, floor) => {
        const { record, signed } = signAll(emptyRecord, asked)
        // What comes back from the network is judged by the record as it is by then, maybe with a higher floor.
        for (const later of [record, raiseFloor(record, floor)])
          for (const one of signed) expect(['known', 'past']).toContain(judge(later, one))
      }),
    )
  })

  it('is stopped at most once, and then admits nothing', () => {
    const signed = signAll(emptyRecord, [message('prevote', [5, 0], 0)]).record
    const behind = stopBy(signed, { seen: message('prevote', [5, 1], 0), isFresh: false })
    expect(behind.stop).toEqual({ reason: 'SIGNING_RECORD_BEHIND', kind: 'prevote', at: 5, round: 1 })
    const again = stopBy(behind, { seen: message('prevote', [9, 1], 0), isFresh: true })
    expect(again.stop).toEqual(behind.stop)
    expect(admit(behind, message('prevote', [5, 0], 0))).toEqual({ ok: false, error: 'SIGNING_STOPPED' })
    const used = stopBy(signed, { seen: message('prevote', [5, 1], 0), isFresh: true })
    expect(used.stop?.reason).toBe('KEY_IN_USE_ELSEWHERE')
    const other = stopBy(signed, { seen: message('prevote', [5, 0], 1), isFresh: false })
    expect(other.stop?.reason).toBe('KEY_IN_USE_ELSEWHERE')
  })

  it.each(kinds)('that resumes after a stop by a %s signs neither there nor below', kind => {
    const seen = message(kind, [5, 1], 0)
    const resumed = resume(stopBy(emptyRecord, { seen, isFresh: false }))
    expect(resumed.stop).toBeNull()
    for (const round of [0, 1, 2]) {
      expect(admit(resumed, message(kind, [5, round], 1)).ok).toBe(false)
      expect(admit(resumed, message(kind, [4, round], 1)).ok).toBe(false)
    }
    expect(admit(resumed, message(kind, [6, 0], 1)).ok).toBe(true)
    // The network shows what stopped it for as long as the height, or the batch, is open.
    expect(judge(resumed, seen)).toBe('past')
  })
})

describe('a lock', () => {
  const nil = zeroHash
  const vote = (kind: 'prevote' | 'precommit', round: number, blockHash: Hash32, polkaRound = -1, height = 5) => {
    const digest = digestOf(`${kind} ${height} ${round} ${blockHash}`)
    return { kind, height, round, digest, blockHash, polkaRound } as const
  }
  const [x, y] = [blockOf(0), blockOf(1)]
  const locked = signAll(emptyRecord, [vote('prevote', 1, x), vote('precommit', 1, x)]).record
  const outcome = (record: SigningRecord, asked: AskedMessage) => {
    const admitted = admit(record, asked)
    return admitted.ok ? 'signed' : admitted.error
  }

  it('admits a prevote for its block, for nil, and for another block on a polka of its round or later', () => {
    expect(outcome(locked, vote('prevote', 2, x))).toBe('signed')
    expect(outcome(locked, vote('prevote', 2, nil))).toBe('signed')
    expect(outcome(locked, vote('prevote', 2, y))).toBe('LOCKED')
    expect(outcome(locked, vote('prevote', 2, y, 0))).toBe('LOCKED')
    expect(outcome(locked, vote('prevote', 2, y, 1))).toBe('signed')
    expect(outcome(locked, vote('prevote', 0, y, -1, 6))).toBe('signed')
  })

  it('outlives a precommit for nil, an export and a merge, and ends with a lock on another block', () => {
    const later = signAll(locked, [vote('prevote', 2, nil), vote('precommit', 2, nil)]).record
    expect(outcome(later, vote('prevote', 3, y, 0))).toBe('LOCKED')
    for (const merged of [mergeRecords(later, emptyRecord), mergeRecords(emptyRecord, later)])
      expect(merged.ok && outcome(merged.value, vote('prevote', 3, y))).toBe('LOCKED')
    const moved = signAll(later, [vote('prevote', 3, nil), vote('precommit', 3, y)]).record
    expect(outcome(moved, vote('prevote', 4, y))).toBe('signed')
    expect(outcome(moved, vote('prevote', 4, x, 2))).toBe('LOCKED')
  })

  it('lets nil be prevoted, and that again, after the node asked for another block', () => {
    const asked = signAll(locked, [vote('prevote', 2, y), vote('prevote', 2, nil)])
    expect(asked.signed).toEqual([vote('prevote', 2, nil)])
    expect(outcome(asked.record, vote('prevote', 2, y))).toBe('LOCKED')
    expect(outcome(asked.record, vote('prevote', 2, nil))).toBe('signed')
  })

  it('is not merged with another block of the same round', () => {
    const other = { ...locked, precommit: emptyRecord.precommit, lock: { ...locked.lock, blockHash: y } }
    expect(mergeRecords(locked, other)).toEqual({ ok: false, error: { kind: 'precommit' } })
  })
})

describe('merging', () => {
  it('admits nothing new that either record refuses, and knows what both signed', () => {
    const asked = fc.array(messages, { maxLength: 12 })
    fc.assert(
      fc.property(asked, asked, messages, (first, second, next) => {
        const a = signAll(emptyRecord, first).record
        const b = signAll(emptyRecord, second).record
        const merged = mergeRecords(a, b)
        if (!merged.ok) {
          const { kind } = merged.error
          expect(a[kind].digest).not.toBe(b[kind].digest)
          return
        }
        const isRepeated = judge(a, next) === 'known' || judge(b, next) === 'known'
        if (admit(merged.value, next).ok && !isRepeated)
          expect([admit(a, next).ok, admit(b, next).ok]).toEqual([true, true])
        for (const kind of kinds) {
          for (const record of [a, b]) {
            const last: SignedMessage =
              kind === 'attestation' ? { kind, ...record.attestation } : { kind, ...record[kind] }
            expect(['known', 'past']).toContain(judge(merged.value, last))
          }
        }
        expect(mergeRecords(merged.value, a)).toEqual(merged)
        expect(mergeRecords(merged.value, b)).toEqual(merged)
      }),
    )
  })

  it('refuses two messages of one position', () => {
    const [a, b] = [0, 1].map(value => signAll(emptyRecord, [message('precommit', [5, 0], value)]).record)
    expect(mergeRecords(a!, b!)).toEqual({ ok: false, error: { kind: 'precommit' } })
  })

  it('ends a stop only when the other record knows the message that caused it', () => {
    const stopped = stopBy(emptyRecord, { seen: message('prevote', [5, 1], 0), isFresh: false })
    const short = signAll(emptyRecord, [message('prevote', [5, 0], 0)]).record
    const full = signAll(emptyRecord, [message('prevote', [5, 1], 0)]).record
    expect(mergeRecords(stopped, short)).toMatchObject({ value: { stop: stopped.stop } })
    expect(mergeRecords(stopped, full)).toMatchObject({ value: { stop: null, prevote: full.prevote } })
  })

  it.each(kinds)('leaves a stop by a second %s of a position when the record meets its own export', kind => {
    const signed = signAll(emptyRecord, [message(kind, [5, 0], 0)]).record
    const stopped = stopBy(signed, { seen: message(kind, [5, 0], 1), isFresh: true })
    for (const floor of [0, 9]) {
      const own = raiseFloor(stopped, floor)
      expect(mergeRecords(own, own)).toMatchObject({ value: { stop: stopped.stop } })
    }
    const later = signAll(signed, [message(kind, [6, 0], 0)]).record
    expect(mergeRecords(stopped, later)).toMatchObject({ value: { stop: null } })
  })
})

describe('two instances of one key', () => {
  /** One step of a schedule: an instance is asked to sign, or hears a message that the other one sent. */
  const step = fc.record({
    who: fc.constantFrom(0, 1),
    hears: fc.boolean(),
    asked: messages,
    which: fc.nat({ max: 40 }),
  })

  it('sign no two conflicting messages once the later signer has heard of the earlier message', () => {
    let stops = 0
    let doubles = 0
    fc.assert(
      fc.property(fc.array(step, { minLength: 4, maxLength: 60 }), steps => {
        const records: SigningRecord[] = [emptyRecord, emptyRecord]
        const sent: SignedMessage[][] = [[], []]
        const heard: SignedMessage[][] = [[], []]
        const hasSigned = [false, false]
        for (const { who, hears, asked, which } of steps) {
          const record = records[who]!
          const other = sent[1 - who]!
          if (hears) {
            const seen = other[which % Math.max(1, other.length)]
            if (!seen) continue
            const verdict = judge(record, seen)
            if (verdict === 'above' || verdict === 'conflicting') {
              records[who] = stopBy(record, { seen, isFresh: hasSigned[who]! })
              stops++
            }
            heard[who]!.push(seen)
            continue
          }
          const admitted = admit(record, asked)
          if (!admitted.ok) continue
          const clash = other.find(one => place(one) === place(asked) && one.digest !== asked.digest)
          if (clash) doubles++
          // Detection could have happened: then this signature must not exist.
          expect(clash && heard[who]!.includes(clash)).toBeFalsy()
          records[who] = admitted.value
          hasSigned[who] = true
          sent[who]!.push(asked)
        }
      }),
      { numRuns: 500 },
    )
    // The schedules bite: instances were stopped, and unheard ones did sign twice.
    expect(stops).toBeGreaterThan(0)
    expect(doubles).toBeGreaterThan(0)
  })
})
