import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { KeyError } from './key-error.js'

/** A lock held until released or until its process is dead. */
export interface ProcessLock {
  release(): Promise<void>
}

/**
 * Takes the lock file for this process. It names its holder (process id and start time, since ids are reused), so that
 * what `kill -9` left behind does not stay locked. @throws KeyError SIGNING_RECORD_LOCKED
 */
export async function acquireProcessLock(path: string): Promise<ProcessLock> {
  const mine = identity(process.pid)
  const unique = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`
  for (let attempt = 0; attempt < 3; attempt++) {
    await writeFile(unique, mine, { mode: 0o600 })
    try {
      await link(unique, path)
      return { release: () => rm(path, { force: true }) }
    } catch {
      await removeStale(path, unique)
    } finally {
      await rm(unique, { force: true })
    }
  }
  throw locked(path, 'unknown')
}

/** Moves a lock of a dead process away; what was moved is looked at again, for another process may have come first. */
async function removeStale(path: string, unique: string): Promise<void> {
  const holder = await readFile(path, 'utf8').catch(() => null)
  if (holder === null) return
  if (isAlive(holder)) throw locked(path, holder)
  const moved = `${unique}.stale`
  await rename(path, moved).catch(() => {})
  const found = await readFile(moved, 'utf8').catch(() => holder)
  if (found !== holder) await link(moved, path).catch(() => {})
  await rm(moved, { force: true })
}

function isAlive(holder: string): boolean {
  const pid = Number.parseInt(holder, 10)
  if (!(pid > 0)) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  return identity(pid) === holder
}

/** Process id and, where /proc exists, its start time in ticks since boot; one that is dead and not reaped yet has none. */
function identity(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name in parentheses may hold spaces; the state is field 3, the start time field 22.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? `${pid}` : `${pid} ${fields[19]}`
  } catch {
    return `${pid}`
  }
}

function locked(path: string, holder: string): KeyError {
  const message = `the signing record is in use by process ${holder.split(' ')[0]} (${path}): only one node may sign with a key`
  return new KeyError('SIGNING_RECORD_LOCKED', message, { path })
}
