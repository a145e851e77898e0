import { type ChildProcess, spawn } from 'node:child_process'
import { access, constants, mkdir, open, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DevnetError } from './devnet-error.js'
import { freePortRun, requireFreePort } from './ports.js'

export interface AnvilConfig {
  /** 0 chooses a free one. */
  readonly port: number
  readonly chainId: number
  readonly blockTimeSec: number
  /** Holds the state (l1-state.json), a copy of it, and anvil.log; anvil goes on from the state that is there. */
  readonly dataDir: string
}

/** A running anvil of ours. */
export interface Anvil extends AsyncDisposable {
  readonly rpcUrl: string
  readonly wsUrl: string
  readonly port: number
  readonly pid: number
  /** Resolves when the process has ended, whatever the reason. */
  readonly exited: Promise<void>
  /** Lets anvil write its state and waits for its end. */
  stop(): Promise<void>
}

/**
 * Becomes anvil, after leaving a watcher on descriptor 3: a pipe that ends when this process does, even by SIGKILL, so
 * that no anvil outlives its devnet.
 */
const stopWithParent = '(read -r _ <&3; kill -INT $$ 2>/dev/null) & exec "$@" 3<&-'

const host = '127.0.0.1'
const readyTimeoutMs = 15_000
const stopTimeoutMs = 15_000
const copyIntervalMs = 10_000

/**
 * Starts the native anvil as L1 in a process group of its own, so that Ctrl-C in the terminal reaches the nodes first.
 * @throws DevnetError ANVIL_MISSING, ANVIL_STATE_BROKEN, ANVIL_FAILED; AppError PORT_BUSY
 */
export async function startAnvil(config: AnvilConfig): Promise<Anvil> {
  const binary = await findAnvil()
  const port = config.port === 0 ? await freePortRun(1) : config.port
  await requireFreePort({ port, flag: '--l1-port' })
  await mkdir(config.dataDir, { recursive: true })
  const state = join(config.dataDir, 'l1-state.json')
  await recoverState(state)
  const logPath = join(config.dataDir, 'anvil.log')
  const log = await open(logPath, 'a')
  const child = spawn('/bin/sh', ['-c', stopWithParent, 'sh', binary, ...anvilArguments({ ...config, port, state })], {
    stdio: ['ignore', log.fd, log.fd, 'pipe'],
    detached: true,
  })
  const exited = new Promise<void>(resolve => {
    const ended = () => {
      child.stdio[3]?.destroy()
      resolve()
    }
    child.once('exit', ended)
    child.once('error', ended)
  })
  await log.close()
  const anvil = new RunningAnvil({ child, exited, port, state })
  try {
    await untilReady({ child, rpcUrl: anvil.rpcUrl, logPath })
  } catch (error) {
    await anvil.stop()
    throw error
  }
  return anvil
}

class RunningAnvil implements Anvil {
  readonly rpcUrl: string
  readonly wsUrl: string
  readonly port: number
  readonly pid: number
  readonly exited: Promise<void>
  private readonly child: ChildProcess
  private readonly copies: NodeJS.Timeout

  constructor({
    child,
    exited,
    port,
    state,
  }: {
    child: ChildProcess
    exited: Promise<void>
    port: number
    state: string
  }) {
    this.child = child
    this.exited = exited
    this.port = port
    this.pid = child.pid ?? 0
    this.rpcUrl = `http://${host}:${port}`
    this.wsUrl = `ws://${host}:${port}`
    this.copies = setInterval(() => void copyState(state), copyIntervalMs)
    this.copies.unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.copies)
    if (this.pid === 0 || this.child.exitCode !== null || this.child.signalCode !== null) return
    this.child.kill('SIGINT')
    const timer = setTimeout(() => this.child.kill('SIGKILL'), stopTimeoutMs)
    await this.exited
    clearTimeout(timer)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

function anvilArguments({ port, chainId, blockTimeSec, state }: AnvilConfig & { state: string }): string[] {
  const options = {
    host,
    port,
    hardfork: 'osaka',
    'chain-id': chainId,
    'block-time': blockTimeSec,
    'slots-in-an-epoch': 4,
    'gas-limit': 60_000_000,
    state,
    'state-interval': 1,
  }
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
  return [...flags, '--enable-tx-gas-limit', '--no-request-size-limit']
}

/** The binary that ANVIL names, or that of the npm package (whose own launcher would keep signals from it). */
async function findAnvil(): Promise<string> {
  const binary = process.env.ANVIL ?? packagedAnvil()
  try {
    await access(binary ?? '', constants.X_OK)
    if (!(await stat(binary!)).isFile()) throw new RangeError(`${binary} is not a file`)
  } catch (cause) {
    throw new DevnetError(
      'ANVIL_MISSING',
      binary
        ? `The L1 of a devnet needs anvil, but ${binary} cannot be run.`
        : 'The L1 of a devnet needs anvil: install the package @foundry-rs/anvil-linux-amd64, or name a binary in the environment variable ANVIL.',
      { binary },
      { cause },
    )
  }
  return binary!
}

function packagedAnvil(): string | null {
  try {
    const manifest = createRequire(import.meta.url).resolve('@foundry-rs/anvil-linux-amd64/package.json')
    return join(dirname(manifest), 'bin', 'anvil')
  } catch {
    return null
  }
}

async function untilReady({
  child,
  rpcUrl,
  logPath,
}: {
  child: ChildProcess
  rpcUrl: string
  logPath: string
}): Promise<void> {
  const deadline = Date.now() + readyTimeoutMs
  while (Date.now() < deadline && child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
    if (await answers(rpcUrl)) return
    await sleep(20)
  }
  const tail = (await readFile(logPath, 'utf8')).trim().split('\n').slice(-5).join('\n')
  throw new DevnetError('ANVIL_FAILED', `anvil did not start; the end of ${logPath} says: ${tail}`, { logPath })
}

async function answers(rpcUrl: string): Promise<boolean> {
  const request = { jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] }
  try {
    const response = await fetch(rpcUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request),
      signal: AbortSignal.timeout(1_000),
    })
    return response.ok
  } catch {
    return false
  }
}

const copyOf = (state: string) => `${state}.copy`

/** anvil writes its state in place, so a kill in that moment leaves half a file: then the copy takes its place. */
async function recoverState(state: string): Promise<void> {
  if (await isWholeOrAbsent(state)) return
  if (!(await exists(copyOf(state))) || !(await isWholeOrAbsent(copyOf(state))))
    throw new DevnetError('ANVIL_STATE_BROKEN', `The L1 state ${state} is damaged: start with --fresh.`, { state })
  await rename(copyOf(state), state)
}

async function isWholeOrAbsent(path: string): Promise<boolean> {
  if (!(await exists(path))) return true
  try {
    JSON.parse(await readFile(path, 'utf8'))
    return true
  } catch {
    return false
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null
}

/** Copies the state when nobody wrote to it meanwhile; the next copy makes up for a missed one. */
async function copyState(state: string): Promise<void> {
  try {
    const before = await stat(state)
    const bytes = await readFile(state)
    const after = await stat(state)
    if (before.mtimeMs !== after.mtimeMs || bytes.length !== after.size || bytes.at(-1) !== closingBrace) return
    await writeFile(`${copyOf(state)}.part`, bytes)
    await rename(`${copyOf(state)}.part`, copyOf(state))
  } catch {
    // No state has been written yet, or the disk is full: anvil itself will complain.
  }
}

const closingBrace = 0x7d
