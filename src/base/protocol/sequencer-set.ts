import { type BlsPublicKey, blsKeyId, parseBlsPublicKey } from '../crypto/bls.js'
import { DecodeError } from '../encoding/decode-error.js'
import { encodeRlp } from '../encoding/rlp.js'
import { RlpFields, rlpHex, rlpUint } from '../encoding/rlp-fields.js'
import type { Hex } from '../primitives/bytes.js'
import type { Address } from '../primitives/hashes.js'
import type { MemberIndex, Power, SetId } from '../primitives/quantities.js'

/** One elected sequencer, as in the L1 registry's table. */
export interface SequencerSetMember {
  readonly index: MemberIndex
  /** L1 account that owns the stake. */
  readonly operator: Address
  /** L1 account that posts batches. */
  readonly submitter: Address
  readonly publicKey: BlsPublicKey
  readonly power: Power
  /** L2 account that earns the fees of its blocks. */
  readonly feeRecipient: Address
}

/** The members who sign from one set change to the next, in the order of the registry's table. */
export interface SequencerSet {
  readonly setId: SetId
  readonly members: readonly SequencerSetMember[]
  readonly totalPower: Power
}

/** Most members of a set: the bitmap of the absent has 256 bits. */
export const maxSetSize = 256

/** A set of these members; power is summed, indices are positions. */
export function makeSequencerSet(setId: SetId, members: readonly Omit<SequencerSetMember, 'index'>[]): SequencerSet {
  return {
    setId,
    members: members.map((member, index) => ({ ...member, index })),
    totalPower: members.reduce((sum, member) => sum + member.power, 0n),
  }
}

/** The power of these members together; each must be given once. */
export function powerOf(set: SequencerSet, members: Iterable<MemberIndex>): Power {
  let power = 0n
  for (const member of members) power += set.members[member]!.power
  return power
}

/** Whether this power is more than two thirds of the set's. */
export function isQuorum(set: SequencerSet, power: Power): boolean {
  return power * 3n > set.totalPower * 2n
}

/** Whether this power is more than one third of the set's: at least one honest member is among them. */
export function isOneHonest(set: SequencerSet, power: Power): boolean {
  return power * 3n > set.totalPower
}

/** The member with this key, if the set has one. The bytes of a key that was asked for must not change. */
export function memberByKey(set: SequencerSet, publicKey: Uint8Array): SequencerSetMember | undefined {
  let byKey = membersByKey.get(set)
  if (!byKey) {
    byKey = new Map(set.members.toReversed().map(member => [blsKeyId(member.publicKey.bytes), member]))
    membersByKey.set(set, byKey)
  }
  return byKey.get(idOf(publicKey))
}

/** Asked for each message of each peer: the keys of a set are indexed once, and a peer's key is read once. */
const membersByKey = new WeakMap<SequencerSet, ReadonlyMap<Hex, SequencerSetMember>>()
const keyIds = new WeakMap<Uint8Array, Hex>()

function idOf(publicKey: Uint8Array): Hex {
  let id = keyIds.get(publicKey)
  if (id === undefined) {
    id = blsKeyId(publicKey)
    keyIds.set(publicKey, id)
  }
  return id
}

export function encodeSequencerSet(set: SequencerSet): Uint8Array {
  return encodeRlp([
    rlpUint(set.setId),
    set.members.map(m => [
      rlpHex(m.operator),
      rlpHex(m.submitter),
      m.publicKey.bytes,
      rlpUint(m.power),
      rlpHex(m.feeRecipient),
    ]),
  ])
}

/** @throws DecodeError also for a key that is no point of the subgroup */
export function decodeSequencerSet(bytes: Uint8Array): SequencerSet {
  const fields = RlpFields.decode(bytes, 'sequencer set')
  const setId = fields.safeUint()
  const members = fields.items({ max: maxSetSize }).map(item => {
    const member = RlpFields.of(item, 'sequencer set member')
    const operator = member.address()
    const submitter = member.address()
    const publicKey = parseBlsPublicKey(member.bytes({ min: 48, max: 48 }))
    if (!publicKey) throw new DecodeError('sequencer set member: the key is no BLS12-381 public key')
    const power = member.uint(64)
    const feeRecipient = member.address()
    member.end()
    return { operator, submitter, publicKey, power, feeRecipient }
  })
  fields.end()
  return makeSequencerSet(setId, members)
}
