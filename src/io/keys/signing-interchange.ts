import type { Hex } from '../../base/primitives/bytes.js'
import { isSameOwner, type RecordOwner } from './file-signing-record.js'
import { KeyError } from './key-error.js'
import {
  emptyRecord,
  type LockedBlock,
  type SignedBatch,
  type SignedPosition,
  type SigningRecord,
} from './signing-record.js'
import { mergeRecords, passUnknownLock, resume } from './signing-rules.js'

/** Version of the format that this program writes (spec/signing.md). */
const interchangeVersion = '2'
/** It still reads the first, which had no locks. */
const versionWithoutLock = '1'
/** Most characters of an interchange file: room for a thousand keys. */
export const maxInterchangeLength = 1 << 20
const maxKeys = 1_024

/** The signing record of one key, as it travels from machine to machine. */
export interface SigningInterchange {
  readonly owner: RecordOwner
  readonly record: SigningRecord
}

/**
 * The record as an interchange file, in the manner of EIP-3076. A stop does not travel: it belongs to one machine. What
 * caused it does: nothing is signed there, as if the stop had been ended here.
 */
export function encodeInterchange({ owner, record: kept }: SigningInterchange): string {
  const record = resume(kept)
  const position = ({ height, round, digest }: SignedPosition) =>
    height === 0 ? null : { height: `${height}`, round: `${round}`, signing_root: digest }
  const batch = ({ batchIndex, digest }: SignedBatch) =>
    batchIndex === 0 ? null : { batch_index: `${batchIndex}`, signing_root: digest }
  const lock = ({ height, round, blockHash }: LockedBlock) =>
    height === 0 ? null : { height: `${height}`, round: `${round}`, block_hash: blockHash }
  const { publicKey, l1ChainId, rollup } = owner
  const file = {
    metadata: {
      interchange_format: 'morphism-signing-record',
      interchange_format_version: interchangeVersion,
      l1_chain_id: `${l1ChainId}`,
      rollup,
    },
    data: [
      {
        pubkey: publicKey,
        decided_height: `${record.floor}`,
        last_signed_proposal: position(record.proposal),
        last_signed_prevote: position(record.prevote),
        last_signed_precommit: position(record.precommit),
        last_signed_attestation: batch(record.attestation),
        locked_block: lock(record.lock),
      },
    ],
  }
  return `${JSON.stringify(file, null, 2)}\n`
}

/** The records of a file, one for each key. Strict: nothing missing, nothing unknown. @throws KeyError INTERCHANGE_MALFORMED */
export function parseInterchange(text: string): SigningInterchange[] {
  if (text.length > maxInterchangeLength) throw malformed(`it is longer than ${maxInterchangeLength} characters`)
  const file = fieldsOf(parseJson(text), 'file', ['metadata', 'data'])
  const metadata = fieldsOf(file.metadata, 'metadata', [
    'interchange_format',
    'interchange_format_version',
    'l1_chain_id',
    'rollup',
  ])
  const { interchange_format: format, interchange_format_version: version } = metadata
  if (format !== 'morphism-signing-record') throw malformed('interchange_format is not morphism-signing-record')
  if (version !== interchangeVersion && version !== versionWithoutLock)
    throw malformed(`interchange_format_version is neither ${versionWithoutLock} nor ${interchangeVersion}`)
  const network = {
    l1ChainId: uint(metadata.l1_chain_id, 'l1_chain_id'),
    rollup: hex(metadata.rollup, 'rollup', 20),
  }
  const { data } = file
  if (!Array.isArray(data) || data.length === 0 || data.length > maxKeys)
    throw malformed(`data is no list of 1 to ${maxKeys} records`)
  const records = data.map((entry, i) =>
    readRecord(entry, { network, where: `data[${i}]`, hasLock: version !== versionWithoutLock }),
  )
  const keys = new Set(records.map(({ owner }) => owner.publicKey))
  if (keys.size !== records.length) throw malformed('a key has two records')
  return records
}

/**
 * The own record raised to what the file says of its key. @throws KeyError INTERCHANGE_FOREIGN (another key or network),
 * INTERCHANGE_CONFLICT (another message at a position that both hold)
 */
export function importRecord(own: SigningInterchange, found: readonly SigningInterchange[]): SigningRecord {
  const match = found.find(({ owner }) => isSameOwner(owner, own.owner))
  if (!match) {
    const message = `the file holds no record of the key ${own.owner.publicKey} on L1 chain ${own.owner.l1ChainId}, rollup ${own.owner.rollup}`
    throw new KeyError('INTERCHANGE_FOREIGN', message)
  }
  const merged = mergeRecords(own.record, passUnknownLock(match.record))
  if (merged.ok) return merged.value
  const { kind } = merged.error
  const message = `both records hold a ${kind} at the same position, and not the same one: the key was used by two signers`
  throw new KeyError('INTERCHANGE_CONFLICT', message, { kind })
}

function readRecord(
  entry: unknown,
  { network, where, hasLock }: { network: Omit<RecordOwner, 'publicKey'>; where: string; hasLock: boolean },
): SigningInterchange {
  const fields = fieldsOf(entry, where, [
    ...(hasLock ? (['locked_block'] as const) : []),
    'pubkey',
    'decided_height',
    'last_signed_proposal',
    'last_signed_prevote',
    'last_signed_precommit',
    'last_signed_attestation',
  ])
  const signedPosition = (name: 'proposal' | 'prevote' | 'precommit'): SignedPosition => {
    const value = fields[`last_signed_${name}`]
    if (value === null) return emptyRecord.proposal
    const signed = fieldsOf(value, `${where}.last_signed_${name}`, ['height', 'round', 'signing_root'])
    const height = position(signed.height, 'height')
    if (height === 0) throw malformed(`${where}.last_signed_${name} is at height 0`)
    return { height, round: uint(signed.round, 'round'), digest: hex(signed.signing_root, 'signing_root', 32) }
  }
  return {
    owner: { ...network, publicKey: hex(fields.pubkey, 'pubkey', 48) },
    record: {
      proposal: signedPosition('proposal'),
      prevote: signedPosition('prevote'),
      precommit: signedPosition('precommit'),
      attestation: readBatch(fields.last_signed_attestation, `${where}.last_signed_attestation`),
      lock: hasLock ? readLock(fields.locked_block, `${where}.locked_block`) : emptyRecord.lock,
      floor: position(fields.decided_height, 'decided_height'),
      stop: null,
    },
  }
}

function readBatch(value: unknown, where: string): SignedBatch {
  if (value === null) return emptyRecord.attestation
  const signed = fieldsOf(value, where, ['batch_index', 'signing_root'])
  const batchIndex = position(signed.batch_index, 'batch_index')
  if (batchIndex === 0) throw malformed(`${where} is of batch 0`)
  return { batchIndex, digest: hex(signed.signing_root, 'signing_root', 32) }
}

function readLock(value: unknown, where: string): LockedBlock {
  if (value === null) return emptyRecord.lock
  const locked = fieldsOf(value, where, ['height', 'round', 'block_hash'])
  const height = position(locked.height, 'height')
  if (height === 0) throw malformed(`${where} is at height 0`)
  return { height, round: uint(locked.round, 'round'), blockHash: hex(locked.block_hash, 'block_hash', 32) }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw malformed(`it is no JSON: ${(error as Error).message}`)
  }
}

/** An object with exactly these fields. */
function fieldsOf<Name extends string>(
  value: unknown,
  where: string,
  names: readonly Name[],
): Readonly<Record<Name, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(`${where} is no object`)
  const fields = value as Record<Name, unknown>
  const unknown = Object.keys(fields).find(name => !(names as readonly string[]).includes(name))
  if (unknown !== undefined) throw malformed(`${where} has an unknown field ${JSON.stringify(unknown)}`)
  const missing = names.find(name => !Object.hasOwn(fields, name))
  if (missing !== undefined) throw malformed(`${where} has no ${missing}`)
  return fields
}

/** No network comes so far. A record at such a height or batch would keep its key from ever signing again. */
const positionBound = 2 ** 48

/** Where the key has signed: a height, or the index of a batch. */
function position(value: unknown, name: string): number {
  const at = uint(value, name)
  if (at >= positionBound)
    throw malformed(`${name} is ${at}, and from 2^48 up a record would keep its key from ever signing again`)
  return at
}

/** A decimal string, as in EIP-3076. */
function uint(value: unknown, name: string): number {
  const number = typeof value === 'string' && /^(0|[1-9]\d{0,15})$/.test(value) ? Number(value) : Number.NaN
  if (!Number.isSafeInteger(number)) throw malformed(`${name} is no decimal string below 2^53`)
  return number
}

function hex(value: unknown, name: string, length: number): Hex {
  if (typeof value !== 'string' || !/^0x[0-9a-fA-F]*$/.test(value) || value.length !== 2 + 2 * length)
    throw malformed(`${name} is not ${length} bytes of hex`)
  const digits = value.slice(2).toLowerCase()
  return `0x${digits}`
}

function malformed(problem: string): KeyError {
  return new KeyError('INTERCHANGE_MALFORMED', `the interchange file is refused: ${problem}`)
}
