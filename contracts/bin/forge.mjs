// Finds and runs the forge that npm installed, in contracts/, without a network.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const { resolve } = createRequire(import.meta.url)

/** Absolute path of contracts/. */
export const contractsDir = dirname(dirname(fileURLToPath(import.meta.url)))

/** Runs forge with these arguments and waits; returns its exit status, and its output unless that goes to the terminal. */
export function forge(args, { capture = false, env = {} } = {}) {
  const binary = join(dirname(resolve('@foundry-rs/forge-linux-amd64/package.json')), 'bin/forge')
  const result = spawnSync(binary, args, {
    cwd: contractsDir,
    env: { ...process.env, ...env },
    stdio: ['ignore', capture ? 'pipe' : 'inherit', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  if (result.error) throw result.error
  return { status: result.status ?? 1, output: result.stdout ?? '' }
}
