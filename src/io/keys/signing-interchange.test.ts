import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RecordOwner } from './file-signing-record.js'
import { encodeInterchange, importRecord, parseInterchange } from './signing-interchange.js'
import { emptyRecord, type SigningRecord } from './signing-record.js'
import { admit } from './signing-rules.js'

const owner: RecordOwner = {
  publicKey: `0x${'ab'.repeat(48)}`,
  l1ChainId: 31337,
  rollup: `0x${'11'.repeat(20)}` as const,
}
const digest = (n: number) => `0x${n.toString(16).padStart(64, '0')}` as const
const record: SigningRecord = {
  proposal: { height: 9, round: 1, digest: digest(1) },
  prevote: { height: 10, round: 0, digest: digest(2) },
  precommit: { height: 9, round: 2, digest: digest(3) },
  attestation: { batchIndex: 4, digest: digest(4) },
  lock: { height: 9, round: 1, blockHash: digest(5) },
  floor: 8,
  stop: null,
}
const text = encodeInterchange({ owner, record })
interface OpenFile {
  metadata: { interchange_format: unknown; interchange_format_version: unknown }
  data: { pubkey: unknown; decided_height: unknown; last_signed_prevote?: unknown; more?: unknown }[]
}
/** The file with one thing changed. */
function changed(change: (file: OpenFile) => void): string {
  const file = JSON.parse(text)
  change(file)
  return JSON.stringify(file)
}

describe('an interchange file', () => {
  it('gives back what it was made of', () => {
    const position = fc.record({
      height: fc.integer({ min: 1, max: 2 ** 48 - 1 }),
      round: fc.nat(),
      digest: fc.integer({ min: 1 }).map(digest),
    })
    const lock = position.map(({ height, round, digest }) => ({ height, round, blockHash: digest }))
    const records = fc.record({
      proposal: fc.option(position, { nil: emptyRecord.proposal }),
      prevote: fc.option(position, { nil: emptyRecord.prevote }),
      precommit: position,
      attestation: fc.record({ batchIndex: fc.integer({ min: 1 }), digest: fc.nat().map(digest) }),
      lock: fc.option(lock, { nil: emptyRecord.lock }),
      floor: fc.nat(),
    })
    fc.assert(
      fc.property(records, of => {
        const kept = { ...of, stop: null }
        expect(parseInterchange(encodeInterchange({ owner, record: kept }))).toEqual([{ owner, record: kept }])
      }),
    )
    expect(parseInterchange(encodeInterchange({ owner, record: emptyRecord }))[0]!.record).toEqual(emptyRecord)
  })

  it.each<[string, string, RegExp]>([
    ['no JSON', '{', /no JSON/],
    [
      'another version',
      changed(file => (file.metadata.interchange_format_version = '5')),
      /version is neither 1 nor 2/,
    ],
    ['another format', changed(file => (file.metadata.interchange_format = 'x')), /interchange_format/],
    ['an unknown field', changed(file => (file.data[0]!.more = 1)), /unknown field "more"/],
    ['a missing kind', changed(file => delete file.data[0]!.last_signed_prevote), /no last_signed_prevote/],
    ['a number', changed(file => (file.data[0]!.decided_height = 8)), /decided_height is no decimal string/],
    ['a height beyond 2^53', changed(file => (file.data[0]!.decided_height = '9007199254740993')), /decided_height/],
    [
      'a height that would silence the key',
      changed(file => (file.data[0]!.decided_height = '281474976710656')),
      /decided_height is 281474976710656, .* from ever signing again/,
    ],
    ['a short key', changed(file => (file.data[0]!.pubkey = '0xab')), /pubkey is not 48 bytes/],
    ['no records', changed(file => (file.data = [])), /data is no list/],
    ['a key twice', changed(file => file.data.push(file.data[0]!)), /two records/],
    ['a list', '[]', /file is no object/],
    ['too much', ' '.repeat(2 << 20), /longer than/],
  ])('with %s is refused', (_, file, problem) => {
    expect(() => parseInterchange(file)).toThrow(
      expect.objectContaining({ code: 'INTERCHANGE_MALFORMED', message: expect.stringMatching(problem) }),
    )
  })

  it('of the first version, which had no lock, is read; nothing is signed where a lock may have been', () => {
    const { locked_block, ...rest } = JSON.parse(text).data[0]
    const first = changed(file => {
      file.metadata.interchange_format_version = '1'
      file.data = [rest]
    })
    expect(locked_block.height).toBe('9')
    const found = parseInterchange(first)
    expect(found).toEqual([{ owner, record: { ...record, lock: emptyRecord.lock } }])
    const there = importRecord({ owner, record: emptyRecord }, found)
    const asked = {
      kind: 'prevote',
      height: 9,
      round: 3,
      digest: digest(9),
      blockHash: digest(9),
      polkaRound: -1,
    } as const
    const below: SigningRecord = { ...there, prevote: emptyRecord.prevote }
    expect([admit(below, asked), admit(below, { ...asked, height: 10 })]).toMatchObject([{ ok: false }, { ok: true }])
  })

  it.each(['proposal', 'prevote', 'precommit', 'attestation'] as const)(
    'of a signer that a %s stopped lets nothing be signed there, and ends the stop of no record',
    kind => {
      const stop = { reason: 'KEY_IN_USE_ELSEWHERE', kind, at: 20, round: 1 } as const
      const stopped: SigningRecord = { ...record, stop }
      const found = parseInterchange(encodeInterchange({ owner, record: stopped }))
      const there = importRecord({ owner, record: emptyRecord }, found)
      const asked = { digest: digest(9), blockHash: digest(9), polkaRound: -1, batchIndex: 20, height: 20, round: 1 }
      expect(admit(there, { ...asked, kind })).toMatchObject({ ok: false })
      expect(admit(there, { ...asked, kind, height: 21, batchIndex: 21 })).toMatchObject({ ok: true })
      expect(importRecord({ owner, record: stopped }, found).stop).toEqual(stop)
    },
  )

  it('refuses garbage by name, whatever it is', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), garbage => {
        expect(() => parseInterchange(garbage)).toThrow(expect.objectContaining({ code: 'INTERCHANGE_MALFORMED' }))
      }),
    )
  })
})

describe('an import', () => {
  const found = parseInterchange(text)

  it('raises every kind to the later position, and lowers none', () => {
    const own: SigningRecord = {
      ...emptyRecord,
      prevote: { height: 11, round: 0, digest: digest(7) },
      precommit: { height: 9, round: 1, digest: digest(8) },
      lock: { ...record.lock, round: 0 },
    }
    expect(importRecord({ owner, record: own }, found)).toEqual({ ...record, prevote: own.prevote })
    expect(importRecord({ owner, record }, parseInterchange(encodeInterchange({ owner, record: own })))).toEqual({
      ...record,
      prevote: own.prevote,
    })
  })

  it('refuses another key and another network', () => {
    for (const other of [
      { publicKey: `0x${'ac'.repeat(48)}` },
      { l1ChainId: 1 },
      { rollup: `0x${'12'.repeat(20)}` },
    ] as const)
      expect(() => importRecord({ owner: { ...owner, ...other }, record: emptyRecord }, found)).toThrow(
        expect.objectContaining({ code: 'INTERCHANGE_FOREIGN' }),
      )
  })

  it('refuses another message at a position that both hold', () => {
    const own = { ...record, precommit: { ...record.precommit, digest: digest(99) } }
    expect(() => importRecord({ owner, record: own }, found)).toThrow(
      expect.objectContaining({ code: 'INTERCHANGE_CONFLICT', data: { kind: 'precommit' } }),
    )
  })
})
