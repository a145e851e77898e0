import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { listenOnUnixSocket, maxSocketPathBytes } from './unix-socket.js'

let directory: string
const open: Server[] = []

beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'morphism-socket-'))
})
afterEach(async () => {
  for (const server of open.splice(0)) await close(server)
  rmSync(directory, { recursive: true })
})

const close = (server: Server) => new Promise(resolve => server.close(resolve))

async function listen(file: string): Promise<Server> {
  const server = createServer(socket => socket.on('error', () => {}).end('hello'))
  await listenOnUnixSocket(server, file)
  open.push(server)
  return server
}

const answerOf = (file: string) =>
  new Promise<string>((resolve, reject) => {
    const socket = connect({ path: file })
    socket.once('data', bytes => resolve(String(bytes))).once('error', reject)
  })

it('is for its owner alone, and gone when the server closes', async () => {
  const file = path.join(directory, 's')
  const mask = process.umask()
  const server = await listen(file)
  expect(process.umask()).toBe(mask)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(await answerOf(file)).toBe('hello')
  open.pop()
  await close(server)
  expect(existsSync(file)).toBe(false)
})

/** Leaves a socket behind, as a killed process does. */
function leaveSocket(file: string): void {
  const program = `require('node:net').createServer().listen(${JSON.stringify(file)}, () => process.kill(process.pid, 'SIGKILL'))`
  expect(spawnSync(process.execPath, ['-e', program]).signal).toBe('SIGKILL')
  expect(statSync(file).isSocket()).toBe(true)
}

it('replaces the socket that a killed process left behind', async () => {
  const file = path.join(directory, 's')
  leaveSocket(file)
  await listen(file)
  expect(await answerOf(file)).toBe('hello')
})

it('says that it cannot remove it', async () => {
  const file = path.join(directory, 's')
  leaveSocket(file)
  const refused = {
    name: 'UnixSocketError',
    code: 'SOCKET_FAILED',
    message: expect.stringContaining('cannot be removed'),
  }
  chmodSync(directory, 0o555)
  try {
    await asNobody(file, () => expect(listenOnUnixSocket(createServer(), file)).rejects.toMatchObject(refused))
  } finally {
    chmodSync(directory, 0o700)
  }
})

/** Root may write anywhere: then another user does it, to whom the file is given. */
async function asNobody(file: string, act: () => Promise<void>): Promise<void> {
  if (process.geteuid!() !== 0) return act()
  const nobody = 65_534
  chownSync(file, nobody, nobody)
  process.seteuid!(nobody)
  try {
    await act()
  } finally {
    process.seteuid!(0)
  }
}

it('leaves a socket that answers, and what is no socket, as they are', async () => {
  const [live, note] = [path.join(directory, 'live'), path.join(directory, 'note')]
  await listen(live)
  writeFileSync(note, 'keep me')
  for (const file of [live, note])
    await expect(listenOnUnixSocket(createServer(), file)).rejects.toMatchObject({ code: 'SOCKET_IN_USE' })
  expect(await answerOf(live)).toBe('hello')
  expect(readFileSync(note, 'utf8')).toBe('keep me')
})

it('names the limit when the path is too long, and what else is wrong', async () => {
  const longest = path.join(directory, 'x'.repeat(maxSocketPathBytes - directory.length - 1))
  await listen(longest)
  expect(statSync(longest).isSocket()).toBe(true)
  await expect(listenOnUnixSocket(createServer(), `${longest}x`)).rejects.toMatchObject({
    code: 'SOCKET_PATH_TOO_LONG',
    message: expect.stringContaining('at most 107 bytes'),
  })
  await expect(listenOnUnixSocket(createServer(), path.join(directory, 'no', 's'))).rejects.toMatchObject({
    code: 'SOCKET_FAILED',
    message: expect.stringContaining(`there is no directory ${path.join(directory, 'no')}`),
  })
})
