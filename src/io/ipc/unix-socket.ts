import { existsSync, lstatSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { connect, type Server } from 'node:net'
import { dirname } from 'node:path'
import { MorphismError } from '../../base/primitives/morphism-error.js'

/** Bytes that Linux leaves for the path of a Unix socket; what is longer would be cut, and meet another file. */
export const maxSocketPathBytes = 107

/** How long the socket of another process may take to show that it is alive. */
const probeMs = 2_000

/** A Unix socket cannot be served: SOCKET_PATH_TOO_LONG, SOCKET_IN_USE or SOCKET_FAILED. */
export class UnixSocketError extends MorphismError {
  override readonly name = 'UnixSocketError'
}

/** @throws UnixSocketError SOCKET_PATH_TOO_LONG */
export function checkSocketPath(path: string): void {
  const bytes = Buffer.byteLength(path)
  if (bytes <= maxSocketPathBytes) return
  const message = `the path of a Unix socket has at most ${maxSocketPathBytes} bytes, and ${path} has ${bytes}`
  throw new UnixSocketError('SOCKET_PATH_TOO_LONG', message, { path })
}

/**
 * Lets the server listen on a Unix socket that only its owner can open (0600). A socket that a killed process left behind is
 * removed; the server removes its own when it closes. @throws UnixSocketError
 */
export async function listenOnUnixSocket(server: Server, path: string): Promise<void> {
  checkSocketPath(path)
  requireDirectoryOf(path)
  await removeDeadSocket(path)
  await new Promise<void>((resolve, reject) => {
    const refuse = (cause: NodeJS.ErrnoException) => {
      const isInUse = cause.code === 'EADDRINUSE'
      if (!isInUse) return reject(failed(path, cause.message, cause))
      reject(new UnixSocketError('SOCKET_IN_USE', `${path} is in use, or is no socket`, { path }, { cause }))
    }
    server.once('error', refuse)
    server.once('listening', () => {
      server.off('error', refuse)
      resolve()
    })
    // The socket is bound within the call.
    const mask = process.umask(0o177)
    try {
      server.listen({ path })
    } finally {
      process.umask(mask)
    }
  })
}

/** To listen without it fails as if the permission lacked. */
function requireDirectoryOf(path: string): void {
  const directory = dirname(path)
  if (!existsSync(directory)) throw failed(path, `there is no directory ${directory}: make it (mkdir -m 700)`)
}

function failed(path: string, problem: string, cause?: unknown): UnixSocketError {
  return new UnixSocketError('SOCKET_FAILED', `cannot listen on ${path}: ${problem}`, { path }, { cause })
}

/** One that answers stays, and so does what is no socket: listening there fails. */
async function removeDeadSocket(path: string): Promise<void> {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return
  const isDead = await new Promise<boolean>(resolve => {
    const socket = connect({ path })
    socket
      .once('connect', () => resolve(false))
      .once('error', error => resolve('code' in error && error.code === 'ECONNREFUSED'))
    socket.once('close', () => resolve(false)).setTimeout(probeMs, () => socket.destroy())
    socket.once('connect', () => socket.destroy())
  })
  if (!isDead) return
  try {
    await rm(path, { force: true })
  } catch (cause) {
    const problem = `a killed process left its socket there, and it cannot be removed: ${(cause as Error).message}`
    throw failed(path, problem, cause)
  }
}
