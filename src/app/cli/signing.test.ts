import { type ChildProcess, type ExecFileException, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { BlsSecretKey, parseBlsPublicKey, verifyBls } from '../../base/crypto/bls.js'
import { bytesToHex } from '../../base/primitives/bytes.js'
import { zeroHash } from '../../base/primitives/hashes.js'
import { prevote, voteDigest } from '../../base/protocol/vote.js'
import { encryptKeystore, saveKeystore } from '../../io/keys/eip2335-keystore.js'
import { RemoteSigner } from '../../io/keys/remote-signer.js'
import { inlineSignatureVerifier } from '../../io/keys/signature-verifier.js'
import { parseSignerAddress } from '../../io/keys/signer-address.js'
import { silentLogger } from '../../io/telemetry/logger.js'
import { systemClock } from '../../io/time/system-clock.js'
import { morphismBin } from '../package-root.js'

const directory = mkdtempSync(path.join(os.tmpdir(), 'morphism-signing-'))
const file = (name: string) => path.join(directory, name)
const token = 'f'.repeat(64)
const contract = (n: number) => `0x${`${n}`.repeat(40)}` as const
const domain = { l1ChainId: 31337, rollup: contract(1) }
const secretKey = BlsSecretKey.fromSeed(new Uint8Array(32).fill(1))
const children: ChildProcess[] = []

beforeAll(async () => {
  writeFileSync(file('password'), 'correct horse\n', { mode: 0o600 })
  writeFileSync(file('token'), `${token}\n`, { mode: 0o600 })
  const secret = secretKey.toBytes()
  const publicKey = secretKey.publicKey()
  await saveKeystore(
    file('keystore.json'),
    await encryptKeystore({ secret, password: 'correct horse', publicKey, cost: 'light' }),
  )
  const contracts = { rollup: domain.rollup, registry: contract(2), staking: contract(3), messageQueue: contract(4) }
  const genesis = { timestamp: 1, baseFeePerGas: '1', l1Origin: { number: 0, hash: zeroHash }, alloc: {} }
  const l1 = { chainId: domain.l1ChainId, startBlock: 0, contracts }
  writeFileSync(file('network.json'), JSON.stringify({ name: 'test', l1, l2: { chainId: 1, genesis } }))
})
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** Runs `morphism` to its end. */
function morphism(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise(resolve => {
    const options = { timeout: 30_000 }
    execFile(process.execPath, [morphismBin, ...args], options, (error: ExecFileException | null, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr }),
    )
  })
}

/** Starts `morphism signer` and resolves when it listens. */
async function startSigner({ record = 'record', flags = [] as string[] } = {}): Promise<ChildProcess> {
  const child = spawn(
    process.execPath,
    [
      ...[morphismBin, 'signer', '--network', file('network.json'), '--record', file(record)],
      ...['--keystore', file('keystore.json'), '--password-file', file('password')],
      ...['--listen', `unix:${file('socket')}`, '--auth-token-file', file('token'), ...flags],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  children.push(child)
  for await (const chunk of child.stdout!) if (String(chunk).includes('signer is listening')) break
  return child
}

const dial = () =>
  RemoteSigner.connect({
    config: { address: parseSignerAddress(`unix:${file('socket')}`), token, domain },
    ports: { verifier: inlineSignatureVerifier, clock: systemClock, logger: silentLogger },
  })
const vote = (height: number, value = 1) => ({
  height,
  round: 0,
  step: prevote,
  blockHash: `0x${`${value}`.repeat(64)}` as const,
})

describe('morphism node --remote-signer', () => {
  it('refuses to leave the record of a key behind', async () => {
    const record = path.join(file('data'), 'signing-record')
    mkdirSync(file('data'))
    writeFileSync(record, 'what the key has signed')
    const { code, stderr } = await morphism(
      ...['node', '--network', file('network.json'), '--role', 'sequencer', '--data-dir', file('data')],
      ...['--remote-signer', `unix:${file('socket')}`, '--signer-token-file', file('token')],
    )
    const remedy = `${record}, and the signer process keeps the record: export it`
    expect([code, stderr]).toEqual([1, expect.stringContaining(remedy)])
    expect(readdirSync(file('data'))).toEqual(['signing-record'])
  })
})

describe('morphism signer', () => {
  it('signs, is killed, comes back with its record, and moves to another machine', async () => {
    const first = await startSigner({ flags: ['--new-record'] })
    const signer = await dial()
    const signature = await signer.signVote(vote(5))
    const key = parseBlsPublicKey(secretKey.publicKey())!
    expect(verifyBls({ digest: voteDigest(domain, vote(5)), key, signature })).toBe(true)

    const locked = await morphism('keys', 'export-record', '--record', file('record'))
    expect([locked.code, locked.stderr]).toEqual([1, expect.stringContaining('in use by another process')])

    first.kill('SIGKILL')
    await once(first, 'exit')
    const waiting = signer.signVote(vote(6))
    const [second] = await Promise.all([
      startSigner(),
      expect(waiting).rejects.toMatchObject({ code: 'SIGNER_UNAVAILABLE' }),
    ])
    await signer.signVote(vote(6))
    await expect(signer.signVote(vote(6, 2))).rejects.toMatchObject({ code: 'DOUBLE_VOTE' })
    await signer.close()
    second.kill('SIGTERM')
    expect(await once(second, 'exit')).toEqual([0, null])

    const out = await morphism('keys', 'export-record', '--record', file('record'), '--out', file('moved.json'))
    expect([out.code, out.stderr]).toEqual([0, expect.stringContaining('prevote height 6 round 0')])
    expect(JSON.parse(readFileSync(file('moved.json'), 'utf8'))).toMatchObject({
      metadata: { interchange_format_version: '2', l1_chain_id: '31337', rollup: domain.rollup },
      data: [{ pubkey: bytesToHex(secretKey.publicKey()), last_signed_prevote: { height: '6', round: '0' } }],
    })
    const moved = await morphism('keys', 'import-record', '--record', file('elsewhere'), file('moved.json'))
    expect([moved.code, moved.stdout]).toEqual([0, expect.stringContaining('prevote height 6 round 0')])
    await startSigner({ record: 'elsewhere' })
    const there = await dial()
    await expect(there.signVote(vote(5, 2))).rejects.toMatchObject({ code: 'BELOW_RECORD' })
    await expect(there.signVote(vote(6, 2))).rejects.toMatchObject({ code: 'DOUBLE_VOTE' })
    await there.signVote(vote(7))

    const digest = voteDigest(domain, vote(9))
    expect(await there.observe({ kind: 'vote', content: vote(9), signature: secretKey.sign(digest) })).toBe('stopped')
    await there.close()
    const [running] = children.slice(-1)
    running!.kill('SIGTERM')
    await once(running!, 'exit')
    const still = await morphism('keys', 'import-record', '--record', file('elsewhere'), file('moved.json'))
    expect(still.stdout).toContain('still stopped (KEY_IN_USE_ELSEWHERE at 9)')
    await startSigner({ record: 'elsewhere', flags: ['--resume-signing', '9'] })
    const resumed = await dial()
    await expect(resumed.signVote(vote(9, 2))).rejects.toMatchObject({ code: 'BELOW_RECORD' })
    await resumed.signVote(vote(10))
    await resumed.close()
  }, 60_000)

  it('says in one sentence what is wrong', async () => {
    writeFileSync(file('short'), 'short\n', { mode: 0o600 })
    writeFileSync(file('open-password'), 'correct horse\n', { mode: 0o644 })
    writeFileSync(file('garbage'), '{}')
    const signer = ['signer', '--network', file('network.json'), '--record']
    const base = [...signer, file('unused'), '--new-record']
    const keys = ['--keystore', file('keystore.json'), '--password-file', file('password')]
    const listens = ['--listen', `unix:${file('socket')}`, '--auth-token-file', file('token')]
    const cases: [string[], RegExp][] = [
      [[...base, ...keys, '--listen', 'tcp://0.0.0.0:1', '--auth-token-file', file('token')], /no address of a signer/],
      [[...base, ...keys, '--listen', 'unix:/nowhere/s', '--auth-token-file', file('token')], /no directory \/nowhere/],
      [[...base, ...keys, '--listen', 'unix:/nowhere/s', '--auth-token-file', file('short')], /shorter than 32/],
      [
        [...signer, file('unused-2'), ...keys, '--listen', 'unix:/nowhere/s', '--auth-token-file', file('token')],
        /give --new-record/,
      ],
      [['keys', 'show', file('keystore.json'), '--password-file', file('open-password')], /run chmod 600/],
      [['keys', 'import-record', '--record', file('unused-2'), file('garbage')], /file has no metadata/],
      [['keys', 'export-record', '--record', file('unused-2')], /no signing record at/],
      [
        ['keys', 'import-record', '--data-dir', file('mistyped'), file('moved.json')],
        /no directory .*mistyped for signing-record: make it, if the path is right/,
      ],
      [
        ['keys', 'export-record', '--record', file('record'), '--out', file('mistyped/moved.json')],
        /no directory .*mistyped for moved.json/,
      ],
      [[...signer, directory, '--new-record', ...keys, ...listens], /signing record .* is no file/],
      [['keys', 'export-record'], /give either --data-dir or --record/],
    ]
    const ran = await Promise.all(cases.map(([args]) => morphism(...args)))
    for (const [i, { code, stderr }] of ran.entries()) {
      const said = stderr
        .trim()
        .split('\n')
        .filter(line => !line.startsWith('npm warn'))
      expect([code, said.length, said[0]]).toEqual([1, 1, expect.stringMatching(cases[i]![1])])
    }
    expect(existsSync(file('mistyped'))).toBe(false)
    expect(existsSync(`${directory}-lock`)).toBe(false)
  }, 60_000)
})
