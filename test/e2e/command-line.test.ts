import { type ExecFileException, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePortRun } from '../../src/app/devnet/ports.js'
import { morphismBin } from '../../src/app/package-root.js'
import { RunningDevnet, until } from './running-devnet.js'

const directory = mkdtempSync(path.join(os.tmpdir(), 'morphism-cli-'))
const file = (name: string) => path.join(directory, name)

let devnet: RunningDevnet

beforeAll(async () => {
  writeFileSync(file('password'), 'correct horse\n', { mode: 0o600 })
  writeFileSync(file('wrong-password'), 'battery staple\n', { mode: 0o600 })
  devnet = await RunningDevnet.start({ sequencers: 1 })
})
afterAll(async () => {
  await devnet?.destroy()
  rmSync(directory, { recursive: true, force: true })
})

/** Runs `morphism` to its end. */
function morphism(args: readonly string[], env: Record<string, string> = {}) {
  return new Promise<{ code: number; stdout: string; stderr: string }>(resolve => {
    const options = { env: { ...process.env, ...env }, timeout: 60_000 }
    execFile(process.execPath, [morphismBin, ...args], options, (error: ExecFileException | null, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr }),
    )
  })
}

/** Runs what must fail, and expects one sentence that says why. */
async function refused(args: readonly string[], sentence: RegExp, env: Record<string, string> = {}): Promise<void> {
  const { code, stderr } = await morphism(args, env)
  const said = stderr.trim().split('\n')
  expect(said.at(-1)).toMatch(sentence)
  expect(said).toHaveLength(1)
  expect(code).toBe(1)
}

/** Processes that have the directory among their arguments: the devnet, its nodes, anvil. */
function processesOf(dataDir: string): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter(pid => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(dataDir)
      } catch {
        return false
      }
    })
    .map(Number)
}

describe('morphism', () => {
  it('explains every command', async () => {
    const commands = [
      [],
      ['devnet'],
      ['node'],
      ['keys'],
      ['status'],
      ['restart'],
      ['explain'],
      ['bench'],
      ['recovery'],
      ['keys', 'new'],
      ['keys', 'import'],
      ['keys', 'show'],
    ]
    for (const command of commands) {
      const { code, stdout, stderr } = await morphism([...command, '--help'])
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toContain(`Usage: ${['morphism', ...command].join(' ')}`)
    }
    expect((await morphism(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
    expect(await morphism(['no-such-command'])).toMatchObject({ code: 1, stderr: expect.stringContaining('Usage:') })
    expect((await morphism(['devnet', '--sequencers', '0'])).stderr).toContain('must be a whole number from 1 to 64')
  })
})

describe('morphism devnet', () => {
  it('makes nodes that have nothing to warn of at their first start', () => {
    const logs = devnet.json.nodes.map(({ dataDir }) => readFileSync(path.join(dataDir, 'node.log'), 'utf8'))
    const lines = logs.flatMap(log =>
      log
        .trimEnd()
        .split('\n')
        .map(line => JSON.parse(line)),
    )
    expect(lines.filter(({ level }) => level === 'info').length).toBeGreaterThan(0)
    expect(lines.filter(({ level }) => level !== 'info')).toEqual([])
  })
})

describe('morphism keys', () => {
  const [made, imported] = [file('made.json'), file('imported.json')]
  const password = ['--password-file', file('password')]

  it('makes, imports and shows keys in files that only their owner reads', async () => {
    const publicKey = /^0x[0-9a-f]{96}/
    const madeOut = (await morphism(['keys', 'new', '--out', made, ...password])).stdout
    expect(madeOut).toMatch(publicKey)
    writeFileSync(file('secret'), `0x${'17'.repeat(32)}\n`, { mode: 0o600 })
    await morphism(['keys', 'import', '--secret-file', file('secret'), '--out', imported, ...password])
    // Public key of 0x1717…17, from another library (noble).
    const { bls12_381 } = await import('@noble/curves/bls12-381')
    const known = Buffer.from(bls12_381.getPublicKey('17'.repeat(32))).toString('hex')
    expect((await morphism(['keys', 'show', imported])).stdout).toBe(`0x${known}\n`)
    expect((await morphism(['keys', 'show', imported, ...password])).stdout).toBe(`0x${known}\n`)
    expect((await morphism(['keys', 'show', made])).stdout.trim()).toBe(publicKey.exec(madeOut)![0])
    for (const keystore of [made, imported]) {
      expect(statSync(keystore).mode & 0o777).toBe(0o600)
      expect(JSON.parse(readFileSync(keystore, 'utf8'))).toMatchObject({ version: 4 })
      expect(readFileSync(keystore, 'utf8')).not.toContain('17'.repeat(32))
    }
  })

  it('refuses what would lose or leak a key', async () => {
    await refused(['keys', 'new', '--out', imported, ...password], /cannot be written: .*already exists/)
    await refused(
      ['keys', 'show', imported, '--password-file', file('wrong-password')],
      /the password does not open the keystore/,
    )
    await refused(['keys', 'show', file('absent.json')], /absent.json cannot be read/)
    await refused(
      ['keys', 'new', '--out', file('k'), '--password-file', file('absent')],
      /password file .*absent cannot be read/,
    )
    writeFileSync(file('zero'), `0x${'00'.repeat(32)}`, { mode: 0o600 })
    await refused(
      ['keys', 'import', '--secret-file', file('zero'), '--out', file('k'), ...password],
      /does not hold a secret key/,
    )
  })
})

describe('morphism devnet', () => {
  it('refuses a busy port, a missing anvil, a directory that is a file or is in use', async () => {
    const dataDir = ['--data-dir', file('other')]
    const holder = net.createServer().listen(0, '127.0.0.1')
    await new Promise(resolve => holder.once('listening', resolve))
    const { port } = holder.address() as net.AddressInfo
    await refused(['devnet', ...dataDir, '--l1-port', `${port}`], new RegExp(`Port ${port} .* in use .* --l1-port`))
    // One for L1; a node listens on each of the five after it: four sequencers and a full node.
    const firstPort = await freePortRun(6)
    const l1Port = ['--l1-port', `${firstPort}`]
    await refused(
      ['devnet', ...dataDir, ...l1Port, '--rpc-port', `${port}`],
      new RegExp(`Port ${port} .* in use .* --rpc-port`),
    )
    holder.close()
    const ports = [...l1Port, '--rpc-port', `${firstPort + 1}`]
    for (const anvil of [file('no-anvil'), directory, file('password')])
      await refused(['devnet', ...dataDir, ...ports], /needs anvil, but .* cannot be run/, { ANVIL: anvil })
    await refused(['devnet', '--data-dir', file('password')], /The data directory .*password cannot be used: EEXIST/)
    await refused(['devnet', '--data-dir', devnet.dataDir], /A devnet already runs on .* \(process \d+\)/)
    for (const [parameter, why] of [
      ['blockTime=3', /--parameter blockTime is unknown/],
      ['batchIntervalMs=soon', /--parameter batchIntervalMs .* whole number/],
    ] as const)
      await refused(['devnet', ...dataDir, '--parameter', parameter], why)
    expect(processesOf(file('other'))).toEqual([])
  })
})

describe('morphism node', () => {
  const free = ['--rpc-port', '0', '--metrics-port', '0', '--p2p-port', '0']

  it('refuses what it cannot start from', async () => {
    const network = ['--network', path.join(devnet.dataDir, 'network.json')]
    const l1 = ['--l1-rpc', devnet.json.l1.rpcUrl]
    const dataDir = ['--data-dir', file('node')]
    await refused(['node', '--network', file('absent'), ...dataDir], /the network file .*absent cannot be read/)
    await refused(['node', '--network', file('password'), ...dataDir], /the network file .* is not valid/)
    await refused(['node', ...network, ...dataDir, '--role', 'sequencer'], /needs its consensus key/)
    const keystore = ['--keystore', path.join(devnet.sequencers[0]!.dataDir, 'keystore.json')]
    await refused(
      ['node', ...network, ...dataDir, '--role', 'sequencer', ...keystore, '--password-file', file('wrong-password')],
      /the password does not open the keystore/,
    )
    await refused(['node', ...network, ...l1, ...free, '--data-dir', file('password')], /EEXIST: file already exists/)
    const lines = await lastWords(['node', ...network, ...l1, ...free, '--data-dir', devnet.full.dataDir])
    expect(lines).toMatch(/^morphism: .*(another process|in use|locked)/)
    // The one that holds the directory is as it was.
    const height = await devnet.height()
    await until('the next block', 60_000, async () => (await devnet.height()) > height)
  })

  /** Last line on standard error of a node that logs before it gives up. */
  async function lastWords(args: readonly string[]): Promise<string> {
    const { code, stderr } = await morphism(args)
    expect(code).toBe(1)
    expect(stderr).not.toMatch(/^ {4}at /m)
    return stderr.trim().split('\n').at(-1)!
  }
})

describe('a measurement on a network of its own', () => {
  it.each([
    { command: 'bench', sequencers: 1, at: 'funding accounts' },
    // By then it has started nodes itself, which the devnet does not stop.
    { command: 'recovery', sequencers: 4, at: 'killing all nodes together' },
  ])('leaves no process and no file when it is interrupted: $command', async ({ command, sequencers, at }) => {
    const scratch = mkdtempSync(path.join(directory, `${command}-`))
    const args = [morphismBin, command, '--sequencers', `${sequencers}`]
    const run = spawn(process.execPath, args, { env: { ...process.env, TMPDIR: scratch } })
    const ended = once(run, 'exit')
    let said = ''
    run.stderr.on('data', text => {
      said += text
    })
    try {
      await until(`${command} to say: ${at}`, 90_000, async () => said.includes(at))
      expect(processesOf(scratch)).not.toHaveLength(0)
    } finally {
      run.kill('SIGTERM')
    }
    expect(await ended).toEqual([143, null])
    expect(processesOf(scratch)).toHaveLength(0)
    expect(readdirSync(scratch)).toHaveLength(0)
  })
})

describe('a running devnet', () => {
  it('is shown by status, /health and /metrics; its logs hold no secrets', async () => {
    const { stdout } = await morphism(['status', '--rpc-url', devnet.full.rpcUrl])
    expect(stdout).toMatch(/^role +full$/m)
    expect(stdout).toMatch(/^ready +true$/m)
    expect(stdout).toMatch(/^height +\d+$/m)
    const json = (await morphism(['status', '--json', '--rpc-url', devnet.sequencers[0]!.rpcUrl])).stdout
    expect(JSON.parse(json)).toMatchObject({ role: 'sequencer', ready: true })
    await refused(['status', '--rpc-url', 'http://127.0.0.1:1'], /no answer from http:\/\/127.0.0.1:1/)
    for (const { metricsUrl, dataDir } of devnet.json.nodes) {
      expect(await (await fetch(metricsUrl)).text()).toMatch(/^morphism_\w+ \d/m)
      const health = await fetch(new URL('/health', metricsUrl))
      expect(health.status).toBe(200)
      expect(await health.json()).toMatchObject({ healthy: true, status: 'ok', peers: 1 })
      const log = readFileSync(path.join(dataDir, 'node.log'), 'utf8')
      const secretFiles = ['password', 'submitter-key', 'node-key'].filter(name => readdirSync(dataDir).includes(name))
      expect(secretFiles).toContain('node-key')
      for (const name of [...secretFiles]) {
        expect(statSync(path.join(dataDir, name)).mode & 0o777, name).toBe(0o600)
        expect(log).not.toContain(readFileSync(path.join(dataDir, name), 'utf8').trim().replace(/^0x/, ''))
      }
    }
  })

  it('restarts a part of a node that runs, for its own user alone', async () => {
    const [sequencer] = devnet.sequencers
    const of = (node: typeof devnet.full) => ['--data-dir', node.dataDir]
    expect(statSync(path.join(devnet.full.dataDir, 'morphism.ipc')).mode & 0o777).toBe(0o600)
    const { stdout } = await morphism(['restart', 'rpc', ...of(devnet.full)])
    expect(stdout).toMatch(/^rpc +running +\S+ +1 +-$/m)
    expect(await devnet.height()).toBeGreaterThan(0)
    const listed = JSON.parse((await morphism(['restart', '--list', '--json', ...of(sequencer!)])).stdout)
    expect(listed.map(({ name, restarts }: { name: string; restarts: number }) => [name, restarts])).toEqual([
      ['rpc', 0],
      ['batcher', 0],
      ['submitter', 0],
    ])
    await refused(['restart', 'submitter', ...of(devnet.full)], /no component 'submitter': it has rpc, batcher/)
    await refused(['restart', ...of(devnet.full)], /Name one component to restart, or give --list/)
    await refused(['restart', 'rpc', '--list', ...of(devnet.full)], /Name one component/)
    await refused(['restart', 'rpc', '--data-dir', file('nobody')], /there is no .*nobody\/morphism.ipc/)
    await refused(['restart', 'rpc', '--data-dir', file('x'.repeat(120))], /at most 107 bytes/)
  })

  it('leaves no process after Ctrl-C, after a kill -9, or when who started it dies', async () => {
    expect(await devnet.stop()).toEqual({ code: 0, left: [] })
    await until('the last process gone', 10_000, async () => processesOf(devnet.dataDir).length === 0)
    devnet = await RunningDevnet.start({ again: devnet, sequencers: 1 })
    expect(processesOf(devnet.dataDir).length).toBeGreaterThanOrEqual(4)
    process.kill(Number(readFileSync(path.join(devnet.dataDir, 'devnet.pid'), 'utf8')), 'SIGKILL')
    await until('nodes and anvil gone', 60_000, async () => processesOf(devnet.dataDir).length === 0)
    devnet = await RunningDevnet.start({ again: devnet, sequencers: 1 })
    devnet.orphan()
    await until('all of the devnet gone', 60_000, async () => processesOf(devnet.dataDir).length === 0)
  })
})
