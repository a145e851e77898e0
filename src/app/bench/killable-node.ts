import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import path from 'node:path'
import { AppError } from '../app-error.js'
import { processExists } from '../devnet/node-process.js'
import { nodeFiles } from '../node-files.js'
import { blockNumber, type DevnetInfo, rpcCall, sleep } from './bench-network.js'

const pollMs = 20
/** Longest wait for one more block. */
const stallMs = 120_000

/** A sequencer of a devnet that is killed and started again. */
export class KillableNode {
  private child: ChildProcess | null = null
  private pid: number
  private discarded = false

  constructor(private readonly node: DevnetInfo['nodes'][number]) {
    this.pid = node.pid
  }

  get name(): string {
    return this.node.name
  }

  get dataDir(): string {
    return this.node.dataDir
  }

  /** As `kill -9`; resolves when the process is gone. */
  async kill(): Promise<void> {
    if (this.pid === 0) return
    if (processExists(this.pid)) process.kill(this.pid, 'SIGKILL')
    const isGone = () =>
      this.child ? this.child.exitCode !== null || this.child.signalCode !== null : !processExists(this.pid)
    while (!isGone()) await sleep(5)
    this.pid = 0
  }

  /** Kills what was started here and starts nothing any more; a process of the devnet is left to it. */
  async discard(): Promise<void> {
    this.discarded = true
    if (this.child) await this.kill()
  }

  /** @throws AppError NODE_FAILED when it is discarded */
  start(): void {
    if (this.discarded) throw new AppError('NODE_FAILED', `${this.name} is discarded`, { node: this.name })
    const { command, dataDir } = this.node
    const log = openSync(path.join(dataDir, nodeFiles.output), 'a')
    this.child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', log, log, 'ipc'] })
    closeSync(log)
    this.pid = this.child.pid ?? 0
  }

  /** Height of its head; waits while the node does not answer yet. @throws AppError NODE_FAILED */
  async height(): Promise<number> {
    const deadline = Date.now() + stallMs
    for (;;) {
      try {
        return await blockNumber(this.node.rpcUrl)
      } catch (cause) {
        this.requireAlive()
        if (Date.now() > deadline)
          throw new AppError('NODE_FAILED', `${this.name} does not answer`, { node: this.name }, { cause })
        await sleep(pollMs)
      }
    }
  }

  /** Resolves when its head is at this height or above. @throws AppError NODE_FAILED when it stands still */
  async reach(height: number): Promise<void> {
    let best = -1
    let deadline = 0
    for (;;) {
      const now = await this.height()
      if (now >= height) return
      if (now > best) deadline = Date.now() + stallMs
      best = Math.max(best, now)
      if (Date.now() > deadline)
        throw new AppError('NODE_FAILED', `${this.name} stands still at ${now} and should reach ${height}`)
      await sleep(pollMs)
    }
  }

  async blockHash(height: number): Promise<string> {
    const block = await rpcCall<{ hash: string } | null>(this.node.rpcUrl, 'eth_getBlockByNumber', [
      `0x${height.toString(16)}`,
      false,
    ])
    return block?.hash ?? 'none'
  }

  /** Resolves when a block above `from` carries the precommit of the sequencer `name` of the devnet. */
  async reachSignedBy(name: string, from: number): Promise<void> {
    const index = BigInt(name.replace(/^sequencer-/, ''))
    for (let height = from + 1; height < from + 200; height++) {
      await this.reach(height)
      if (((BigInt((await this.certificate(height)).absent) >> index) & 1n) === 0n) return
    }
    throw new AppError('NODE_FAILED', `${name} did not sign any of 200 blocks`, { node: name, from })
  }

  /** A block is a head of execution a moment before it is one of the chain, with its certificate. */
  private async certificate(height: number): Promise<{ readonly absent: string }> {
    for (;;) {
      const found = await rpcCall<{ absent: string } | null>(this.node.rpcUrl, 'morphism_getCertificate', [
        `0x${height.toString(16)}`,
      ])
      if (found) return found
      await sleep(pollMs)
    }
  }

  private requireAlive(): void {
    if (this.child && (this.child.exitCode !== null || this.child.signalCode !== null))
      throw new AppError('NODE_FAILED', `${this.name} stopped: see ${path.join(this.dataDir, nodeFiles.output)}`)
  }
}
