import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { BlsSecretKey } from '../base/crypto/bls.js'
import { bytesToHex } from '../base/primitives/bytes.js'
import type { BlockHeader } from '../base/protocol/block-header.js'
import { FileSigningRecord } from '../io/keys/file-signing-record.js'
import type { SigningStop } from '../io/keys/signing-record.js'
import { type Logger, silentLogger } from '../io/telemetry/logger.js'
import { mayHaveSigned } from './node/may-have-signed.js'
import { nodeFiles } from './node-files.js'
import { openGuardedSigner } from './open-guarded-signer.js'

let dataDir: string
let warnings: string[]
let errors: unknown[]
const logger: Logger = {
  ...silentLogger,
  warn: message => warnings.push(message),
  error: (...said) => errors.push(said),
}
beforeEach(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'guarded-'))
  warnings = []
  errors = []
})
afterEach(() => rm(dataDir, { recursive: true }))

/** Opens the signer of a node whose chain has this height, as the node does. */
async function open({ height = 0, isTold = false, resumes = null as string | null } = {}) {
  const execution = { head: async () => ({ hash: `0x${'00'.repeat(32)}` as const, header: headerAt(height) }) }
  const signer = await openGuardedSigner({
    secretKey,
    domain,
    recordPath: path.join(dataDir, nodeFiles.signingRecord),
    resumes,
    beginsRecord: isTold || !(await mayHaveSigned({ dataDir, execution })),
    beginFlag: '--new-signing-record',
    logger,
  })
  await signer.close()
  return signer.stop
}
const secretKey = BlsSecretKey.fromSeed(new Uint8Array(32).fill(1))
const domain = { l1ChainId: 31337, rollup: `0x${'11'.repeat(20)}` } as const
const headerAt = (number: number) => ({ number }) as BlockHeader
const log = (content: string) => writeFile(path.join(dataDir, nodeFiles.consensusLog), content)

it('begins a signing record in an empty data directory, with a warning, and opens it ever after', async () => {
  await log('')
  await open()
  expect(warnings).toEqual([expect.stringContaining('a new signing record begins')])
  await open({ height: 9 })
  expect(warnings).toHaveLength(1)
})

it('refuses a signing record that is missing beside a log of consensus or a chain, unless it is told that it is lost', async () => {
  const missing = { code: 'SIGNING_RECORD_MISSING', message: expect.stringContaining('--new-signing-record') }
  await expect(open({ height: 1 })).rejects.toMatchObject(missing)
  await log('inputs')
  await expect(open()).rejects.toMatchObject(missing)
  await open({ isTold: true })
  await open()
})

it('ends the stop that the operator names, and no later one', async () => {
  const stopAt = async (stop: Pick<SigningStop, 'kind' | 'at'>) => {
    const owner = { publicKey: bytesToHex(secretKey.publicKey()), ...domain }
    const record = await FileSigningRecord.open({ path: path.join(dataDir, nodeFiles.signingRecord), owner })
    await record.save({ ...record.load(), stop: { reason: 'KEY_IN_USE_ELSEWHERE', round: 0, ...stop } })
    await record.close()
  }
  for (const [kind, at, name] of [
    ['prevote', 9, '9'],
    ['attestation', 9, 'batch-9'],
  ] as const) {
    await stopAt({ kind, at })
    for (const resumes of [null, '8', '10', 'batch-8', kind === 'prevote' ? 'batch-9' : '9'])
      expect(await open({ resumes })).toMatchObject({ kind, at })
    expect(errors.splice(0)).toEqual(
      Array(4).fill([
        expect.stringContaining('stays stopped'),
        expect.objectContaining({ endedBy: `--resume-signing ${name}` }),
      ]),
    )
    expect(await open({ resumes: name })).toBeNull()
    expect(await open({ resumes: name })).toBeNull()
  }
  await stopAt({ kind: 'precommit', at: 12 })
  expect(await open({ resumes: '9' })).toMatchObject({ at: 12 })
})
