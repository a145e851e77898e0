import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { DecodeError } from '../../base/encoding/decode-error.js'
import { HexError, hexToBytes } from '../../base/primitives/bytes.js'
import type { BlockHash } from '../../base/primitives/hashes.js'
import type { Height, SetId } from '../../base/primitives/quantities.js'
import { contextHash } from '../../base/protocol/block-context.js'
import { decodeEvidence, type Evidence, maxEvidenceBytes } from '../../base/protocol/evidence.js'
import type { Proposal } from '../../base/protocol/proposal.js'
import type { QuorumCertificate } from '../../base/protocol/quorum-certificate.js'
import type { Vote } from '../../base/protocol/vote.js'
import type { VoteAggregate } from '../../base/protocol/vote-aggregate.js'
import { logBefore, readFileLog } from '../../io/storage/file-log.js'
import { decodeWalRecord, isMark } from '../../services/sequencer/wal/wal-record.js'
import { AppError } from '../app-error.js'
import { nodeFiles } from '../node-files.js'
import { JsonFields } from './json-fields.js'
import { LogCoverage } from './log-coverage.js'

/** Which set signs a block, as the block says. */
export interface NamedSet {
  readonly height: Height
  readonly blockHash: BlockHash
  readonly setId: SetId
}

/** What one file holds that sequencers signed. Nothing of it is verified. */
export interface ForensicFile {
  readonly file: string
  readonly kind: 'wal' | 'evidence' | 'json'
  readonly votes: readonly Vote[]
  readonly aggregates: readonly VoteAggregate[]
  readonly proposals: readonly Proposal[]
  readonly certificates: readonly QuorumCertificate[]
  readonly evidence: readonly Evidence[]
  /** Blocks that a log holds, and the set that each names. */
  readonly blocks: readonly NamedSet[]
  /** What heights a log holds whole; null of other files. */
  readonly coverage: LogCoverage | null
  /** Byte of a log after which it cannot be read. */
  readonly corruptAt: number | null
  /** The same of the log before it, which is read with it. */
  readonly corruptBeforeAt: number | null
}

/** Most bytes of a file: another consensus log is begun after 32 MiB, at the end of a height. */
const maxFileBytes = 128 << 20

const nothing = {
  votes: [],
  aggregates: [],
  proposals: [],
  certificates: [],
  evidence: [],
  blocks: [],
  coverage: null,
  corruptAt: null,
  corruptBeforeAt: null,
}

/**
 * Reads a consensus write-ahead log, with the one before it when that lies beside it, by its name or its node's data directory; a piece of evidence (raw bytes or hex), or JSON of `morphism_evidence` and
 * `morphism_getCertificate`; opened to read only. @throws AppError FORENSICS_FILE
 */
export async function readForensicFile(name: string): Promise<ForensicFile> {
  let file = name
  try {
    if ((await stat(name)).isDirectory()) file = path.join(name, nodeFiles.consensusLog)
    await checkSize(file)
    const bytes = await readFile(file)
    const text = bytes.length > 0 && isText(bytes[0]!) ? bytes.toString('utf8').trim() : ''
    const json = jsonOf(text)
    if (json !== undefined) return { ...nothing, file, kind: 'json', ...readJson(json) }
    if (/^0x[0-9a-f]+$/i.test(text))
      return { ...nothing, file, kind: 'evidence', evidence: [decodeEvidence(hexToBytes(text))] }
    const piece = evidenceOf(bytes)
    if (piece) return { ...nothing, file, kind: 'evidence', evidence: [piece] }
    return await readWal(file)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new AppError('FORENSICS_FILE', `${file} cannot be read: ${why}`, { file }, { cause })
  }
}

/** @throws AppError FORENSICS_FILE */
async function checkSize(file: string): Promise<void> {
  const { size } = await stat(file)
  if (size > maxFileBytes) throw new AppError('FORENSICS_FILE', `it has ${size} bytes, more than ${maxFileBytes}`)
}

async function readWal(file: string): Promise<ForensicFile> {
  const { records, corruptAt } = await readFileLog(file)
  if (corruptAt === 0) throw new AppError('FORENSICS_FILE', 'it is no consensus log, evidence or JSON of a node')
  const before = await readBefore(file)
  const votes: Vote[] = []
  const aggregates: VoteAggregate[] = []
  const proposals: Proposal[] = []
  const blocks: NamedSet[] = []
  const coverage = new LogCoverage()
  for (const [i, record] of [...before.records, ...records].entries()) {
    const entry = decodeWalRecord(record)
    // A log is whole when another takes its place.
    if (i === before.records.length) coverage.turned(before.isTorn ? Number.POSITIVE_INFINITY : entry.height)
    coverage.add(entry)
    if (isMark(entry)) continue
    const { input, block } = entry
    if (block && contextHash(block.context) === block.header.parentBeaconBlockRoot)
      blocks.push({ height: block.header.number, blockHash: block.hash, setId: block.context.setId })
    if (input.type === 'votes') votes.push(...input.votes)
    if (input.type === 'aggregate') aggregates.push(input.aggregate)
    if (input.type === 'proposal') proposals.push(input.proposal)
  }
  return {
    ...nothing,
    file,
    kind: 'wal',
    votes,
    aggregates,
    proposals,
    blocks,
    coverage,
    corruptAt,
    corruptBeforeAt: before.corruptAt,
  }
}

/** The log that this one took the place of, if it is there. */
async function readBefore(file: string): Promise<Awaited<ReturnType<typeof readFileLog>>> {
  const before = logBefore(file)
  if (!existsSync(before)) return { records: [], corruptAt: null, isTorn: false }
  await checkSize(before)
  return readFileLog(before)
}

/** JSON text of a node begins so, or hex does. */
const isText = (first: number): boolean => '{[0 \n\r\t'.includes(String.fromCharCode(first))

function jsonOf(text: string): unknown {
  if (!/^[[{]/.test(text)) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function evidenceOf(bytes: Uint8Array): Evidence | null {
  if (bytes.length > maxEvidenceBytes) return null
  try {
    return decodeEvidence(Uint8Array.from(bytes))
  } catch (error) {
    if (error instanceof DecodeError) return null
    throw error
  }
}

/** Answers, lists of them, and whole JSON-RPC responses. @throws AppError HexError DecodeError */
function readJson(json: unknown): { evidence: Evidence[]; certificates: QuorumCertificate[] } {
  const evidence: Evidence[] = []
  const certificates: QuorumCertificate[] = []
  const items = Array.isArray(json) ? json : [json]
  for (const item of items) {
    const fields = JsonFields.of(item, 'an entry')
    if (fields.has('result')) {
      const inner = readJson(fields.raw('result'))
      evidence.push(...inner.evidence)
      certificates.push(...inner.certificates)
    } else if (fields.has('raw')) evidence.push(decodeEvidence(hexToBytes(fields.text('raw'))))
    else if (fields.has('absent')) certificates.push(readCertificate(fields))
    else throw new AppError('FORENSICS_FILE', 'an entry is neither evidence nor a certificate')
  }
  return { evidence, certificates }
}

function readCertificate(fields: JsonFields): QuorumCertificate {
  const signature = hexToBytes(fields.text('signature'))
  if (signature.length !== 96) throw new HexError('a signature has 96 bytes')
  return {
    height: fields.number('height'),
    round: fields.number('round'),
    blockHash: fields.hash('blockHash'),
    setId: fields.number('setId'),
    absent: fields.quantity('absent'),
    signature,
  }
}
