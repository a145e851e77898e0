import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'

/** How long a node may take to stop before it is killed. */
const stopTimeoutMs = 8_000

/** A node that the devnet started. */
export interface NodeProcess {
  readonly pid: number
  /** Whether it still runs. */
  alive(): boolean
  /** Asks it to stop and waits; kills it when it does not. */
  stop(): Promise<void>
}

/** Starts a node in a process of its own, with its output appended to a file. It stops by itself when the devnet dies. */
export function startNodeProcess({ command, logFile }: { command: readonly string[]; logFile: string }): NodeProcess {
  const log = openSync(logFile, 'a')
  const child = spawn(command[0]!, command.slice(1), {
    stdio: ['ignore', log, log, 'ipc'],
    // A group of its own: Ctrl-C reaches the devnet alone, which then stops its nodes in order.
    detached: true,
  })
  closeSync(log)
  let running = true
  const exited = new Promise<void>(resolve => {
    child.once('exit', () => {
      running = false
      resolve()
    })
    child.once('error', () => {
      running = false
      resolve()
    })
  })
  return {
    pid: child.pid ?? 0,
    alive: () => running,
    async stop() {
      if (!running) return
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs)
      await exited
      clearTimeout(timer)
    },
  }
}

/** Whether a process with this id exists. */
export function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
