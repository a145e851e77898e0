import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { BlsSecretKey } from '../base/crypto/bls.js'
import type { BlockHeader } from '../base/protocol/block-header.js'
import { type Logger, silentLogger } from '../io/telemetry/logger.js'
import { consensusLogName, mayHaveSigned } from './node/may-have-signed.js'
import { openGuardedSigner } from './open-guarded-signer.js'

let dataDir: string
let warnings: string[]
const logger: Logger = { ...silentLogger, warn: message => warnings.push(message) }
beforeEach(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'guarded-'))
  warnings = []
})
afterEach(() => rm(dataDir, { recursive: true }))

/** Opens the signer of a node whose chain has this height, as the node does. */
async function open({ height = 0, isTold = false } = {}) {
  const execution = { head: async () => ({ hash: `0x${'00'.repeat(32)}` as const, header: headerAt(height) }) }
  const signer = await openGuardedSigner({
    secretKey: BlsSecretKey.fromSeed(new Uint8Array(32).fill(1)),
    domain: { l1ChainId: 31337, rollup },
    recordPath: path.join(dataDir, 'signing-record'),
    resumes: false,
    beginsRecord: isTold || !(await mayHaveSigned({ dataDir, execution })),
    beginFlag: '--new-signing-record',
    logger,
  })
  await signer.close()
}
const rollup = `0x${'11'.repeat(20)}` as const
const headerAt = (number: number) => ({ number }) as BlockHeader
const log = (content: string) => writeFile(path.join(dataDir, consensusLogName), content)

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
