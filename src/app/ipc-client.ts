import { connect } from 'node:net'
import { checkSocketPath } from '../io/ipc/unix-socket.js'
import { AppError } from './app-error.js'

interface Answer {
  readonly result?: unknown
  readonly error?: { readonly code: number; readonly message: string }
}

/** Calls a JSON-RPC method over a Unix socket. @throws AppError IPC_UNREACHABLE, IPC_ERROR; UnixSocketError */
export async function callIpc<Result = unknown>({
  path,
  method,
  params = [],
  timeoutMs = 40_000,
}: {
  path: string
  method: string
  params?: readonly unknown[]
  timeoutMs?: number
}): Promise<Result> {
  checkSocketPath(path)
  const line = await exchange({ path, timeoutMs, message: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }) })
  const { result, error } = readAnswer(path, line)
  if (error) throw new AppError('IPC_ERROR', error.message, { path, code: error.code })
  return result as Result
}

/** Sends one line and reads one. */
function exchange({ path, message, timeoutMs }: { path: string; message: string; timeoutMs: number }): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string, cause?: Error) => reject(new AppError('IPC_UNREACHABLE', reason, { path }, { cause }))
    const socket = connect({ path })
    let text = ''
    socket.setEncoding('utf8').setTimeout(timeoutMs, () => {
      fail(`no answer on ${path} within ${timeoutMs / 1_000} s`)
      socket.destroy()
    })
    socket.on('connect', () => socket.end(`${message}\n`))
    socket.on('data', chunk => {
      text += chunk
    })
    socket.on('error', (error: NodeJS.ErrnoException) => fail(reasonOf(path, error), error))
    socket.on('close', () => (text ? resolve(text) : fail(`the node closed ${path} without an answer`)))
  })
}

function reasonOf(path: string, { code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT') return `no node takes administration here: there is no ${path}`
  if (code === 'ECONNREFUSED') return `no node runs on this data directory: nobody answers on ${path}`
  if (code === 'EACCES' || code === 'EPERM') return `${path} is for the user alone who runs the node`
  return `${path} cannot be reached: ${message}`
}

function readAnswer(path: string, text: string): Answer {
  try {
    const answer: unknown = JSON.parse(text)
    if (typeof answer === 'object' && answer !== null) return answer
  } catch {
    // Said below.
  }
  throw new AppError('IPC_UNREACHABLE', `what answers on ${path} is no node`, { path })
}
