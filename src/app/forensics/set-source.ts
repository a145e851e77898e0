import { readFile } from 'node:fs/promises'
import { parseBlsPublicKey } from '../../base/crypto/bls.js'
import { hexToBytes } from '../../base/primitives/bytes.js'
import { type Address, zeroAddress } from '../../base/primitives/hashes.js'
import type { Height, SetId } from '../../base/primitives/quantities.js'
import { makeSequencerSet, maxSetSize, type SequencerSet } from '../../base/protocol/sequencer-set.js'
import { AppError } from '../app-error.js'
import { callRpc } from '../rpc-client.js'
import { JsonFields } from './json-fields.js'

/** A set and the first height that it signs, as `morphism_sequencerSet` gives them. */
export interface ActiveSet {
  readonly set: SequencerSet
  readonly activeFrom: Height
}

/** Where forensics get the keys from that signatures are checked against. */
export interface SetSource {
  /** Undefined when no set of that height is known. */
  setAt(height: Height): Promise<SequencerSet | undefined>
  /** Undefined when no such set is known. */
  withId(setId: SetId): Promise<SequencerSet | undefined>
}

/** Sets from files, each an answer of `morphism_sequencerSet`: nothing but these files is needed. @throws AppError FORENSICS_FILE */
export async function setsFromFiles(files: readonly string[]): Promise<SetSource> {
  const sets = await Promise.all(
    files.map(async file => {
      try {
        return readActiveSet(JSON.parse(await readFile(file, 'utf8')))
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : String(cause)
        throw new AppError('FORENSICS_FILE', `the set ${file} cannot be read: ${why}`, { file }, { cause })
      }
    }),
  )
  sets.sort((a, b) => b.activeFrom - a.activeFrom)
  return {
    setAt: async height => sets.find(({ activeFrom }) => activeFrom <= height)?.set,
    withId: async setId => sets.find(({ set }) => set.setId === setId)?.set,
  }
}

/** Sets as a node tells them, whose word is taken. @throws AppError RPC_UNREACHABLE, RPC_ERROR */
export function setsFromNode(url: string): SetSource {
  const known = new Map<string, ActiveSet>()
  const ask = async (block: string): Promise<ActiveSet | null> => {
    const kept = known.get(block)
    if (kept) return kept
    const answer = await callRpc({ url, method: 'morphism_sequencerSet', params: [block] })
    if (answer === null) return null
    const active = readActiveSet(answer)
    known.set(block, active)
    return active
  }
  const askAt = (height: Height) => ask(`0x${height.toString(16)}`)
  return {
    setAt: async height => (await askAt(height))?.set,
    async withId(setId) {
      const latest = await ask('latest')
      let newer = [...known.values()].filter(({ set }) => set.setId >= setId).sort(bySetId)[0] ?? latest
      while (newer && newer.set.setId > setId && newer.activeFrom > 1) {
        const before = await askAt(newer.activeFrom - 1)
        // Ids fall on the way back: a node that says otherwise would be asked without end.
        newer = before && before.set.setId < newer.set.setId ? before : null
      }
      return newer?.set.setId === setId ? newer.set : undefined
    },
  }
}

const bySetId = (a: ActiveSet, b: ActiveSet): number => a.set.setId - b.set.setId

/** @throws AppError FORENSICS_FILE, HexError */
function readActiveSet(json: unknown): ActiveSet {
  const outer = JsonFields.of(json, 'the set')
  const fields = outer.has('result') ? JsonFields.of(outer.raw('result'), 'the set') : outer
  const list = fields.list('members')
  if (list.length === 0 || list.length > maxSetSize)
    throw new AppError('FORENSICS_FILE', `the set has ${list.length} members`)
  const members = list.map((item, index) => {
    const member = JsonFields.of(item, `member ${index}`)
    const publicKey = parseBlsPublicKey(hexToBytes(member.text('publicKey')))
    if (!publicKey) throw new AppError('FORENSICS_FILE', `member ${index} has no BLS12-381 public key`)
    if (member.number('index') !== index) throw new AppError('FORENSICS_FILE', `member ${index} is out of order`)
    return {
      operator: member.text('operator') as Address,
      submitter: zeroAddress,
      publicKey,
      power: member.quantity('power'),
      feeRecipient: member.text('feeRecipient') as Address,
    }
  })
  return { set: makeSequencerSet(fields.number('setId'), members), activeFrom: fields.number('activeFrom') }
}
