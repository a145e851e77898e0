import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BlsSecretKey } from '../../base/crypto/bls.js'
import { bytesToHex } from '../../base/primitives/bytes.js'
import { type Hash32, zeroAddress } from '../../base/primitives/hashes.js'
import { attestationDigest, type BatchAttestation } from '../../base/protocol/batch-attestation.js'
import { precommit, prevote, type Vote, type VoteStep, voteDigest } from '../../base/protocol/vote.js'
import { FileLog } from '../../io/storage/file-log.js'
import { asVerified } from '../../rules/consensus/verified.js'
import { encodeWalRecord, type WalMark } from '../../services/sequencer/wal/wal-record.js'

export const domain = { l1ChainId: 31_337, rollup: `0x${'12'.repeat(20)}` as const }
/** Keys of four members of equal power. */
export const keys = [1, 2, 3, 4].map(n => BlsSecretKey.fromSeed(new Uint8Array(32).fill(n)))
export const [a, b] = [`0x${'aa'.repeat(32)}`, `0x${'bb'.repeat(32)}`] as [Hash32, Hash32]

interface Place {
  readonly height: number
  readonly round: number
  readonly step: VoteStep
}

export function voteBy(
  member: number,
  { height, round, step }: Place,
  blockHash: Hash32,
  extension = new Uint8Array(0),
): Vote {
  const content = { height, round, step, blockHash }
  return { ...content, member, signature: keys[member]!.sign(voteDigest(domain, content)), extension }
}

/** Prevotes and precommits of a round by these members. */
export const decided = (height: number, round: number, blockHash: Hash32, ...by: number[]): Vote[] =>
  ([prevote, precommit] as const).flatMap(step => by.map(member => voteBy(member, { height, round, step }, blockHash)))

/** An attestation of batch 2 by the owner of a key. */
export function attestationBy(key: number, batchHash: Hash32): BatchAttestation {
  const content = { batchIndex: 2, batchHash }
  return { ...content, signature: keys[key]!.sign(attestationDigest(domain, content)) }
}

/** Writes a log of these entries, each vote one; unless told by marks, of a node that signs all the time. Gives its path. */
export async function saveWal(directory: string, name: string, entries: readonly (Vote | WalMark)[]): Promise<string> {
  const path = join(directory, name)
  const log = await FileLog.open({ path })
  const [first] = entries
  const hasMarks = entries.some(entry => 'mark' in entry)
  const marked = first && !hasMarks ? [{ height: first.height, mark: 'signs' } as const, ...entries] : entries
  for (const entry of marked) {
    const { height } = entry
    const isMark = 'mark' in entry
    log.append(encodeWalRecord(isMark ? entry : { height, input: { type: 'votes', votes: [asVerified(entry)] } }))
    await log.sync()
  }
  await log.close()
  return path
}

/** An answer of `morphism_sequencerSet`: the four keys, `first` being the key of member 0. */
export const setJson = ({ first = 0, setId = 1, activeFrom = 1 } = {}) => ({
  setId: `0x${setId.toString(16)}`,
  activeFrom: `0x${activeFrom.toString(16)}`,
  totalPower: '0x4',
  members: [...keys.slice(first), ...keys.slice(0, first)].map((key, index) => ({
    index: `0x${index}`,
    operator: zeroAddress,
    publicKey: bytesToHex(key.publicKey()),
    power: '0x1',
    feeRecipient: zeroAddress,
  })),
})

/** Writes sets, each as a file. Gives their paths. */
export const saveSets = (directory: string, ...sets: readonly ReturnType<typeof setJson>[]): Promise<string[]> =>
  Promise.all(
    sets.map(async set => {
      const file = join(directory, `set-${set.setId}.json`)
      await writeFile(file, JSON.stringify(set))
      return file
    }),
  )
