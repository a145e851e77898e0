import { readFile } from 'node:fs/promises'
import http from 'node:http'
import { AppError } from '../app-error.js'
import { processCpuSec } from './process-cpu.js'

/** What the benchmark needs of a devnet.json. */
export interface DevnetInfo {
  readonly l2: { readonly chainId: number }
  readonly accounts: readonly { readonly address: `0x${string}`; readonly privateKey: `0x${string}` }[]
  readonly nodes: readonly {
    readonly name: string
    readonly role: string
    readonly pid: number
    readonly rpcUrl: string
    readonly wsUrl: string
    readonly metricsUrl: string
    readonly dataDir: string
    /** Starts it again. */
    readonly command: readonly string[]
  }[]
}

/** @throws AppError when there is no devnet */
export async function readDevnetInfo(file: string): Promise<DevnetInfo> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as DevnetInfo
  } catch (cause) {
    throw new AppError(
      'NO_DEVNET',
      `No running devnet is described by ${file}: start one with npm start.`,
      { file },
      { cause },
    )
  }
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 })
/** How long a node may be silent before an answer: a call that waits for a receipt takes seconds. */
const patienceMs = 60_000

/** JSON-RPC over kept-alive connections, one call or a batch; answers in order, errors as values. @throws AppError NODE_FAILED when the node is silent */
export async function rpcBatch(
  url: string,
  calls: readonly { method: string; params: readonly unknown[] }[],
): Promise<RpcAnswer[]> {
  const body = JSON.stringify(calls.map(({ method, params }, id) => ({ jsonrpc: '2.0', id, method, params })))
  return (JSON.parse(await post(url, body)) as (RpcAnswer & { id: number })[]).sort((a, b) => a.id - b.id)
}

export interface RpcAnswer {
  readonly result?: unknown
  readonly error?: { readonly code: number; readonly message: string }
}

/** One call. @throws AppError RPC_ERROR on an error answer, NODE_FAILED when the node is silent */
export async function rpcCall<Answer>(url: string, method: string, params: readonly unknown[] = []): Promise<Answer> {
  const answer = JSON.parse(await post(url, JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }))) as RpcAnswer
  if (answer.error) throw new AppError('RPC_ERROR', `${method}: ${answer.error.message}`)
  return answer.result as Answer
}

function post(url: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      url,
      {
        method: 'POST',
        agent,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      },
      response => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', chunk => {
          text += chunk
        })
        response.once('end', () => resolve(text))
        response.once('error', reject)
      },
    )
    request.once('error', reject)
    request.setTimeout(patienceMs, () =>
      request.destroy(new AppError('NODE_FAILED', `${url} does not answer within ${patienceMs} ms`, { url })),
    )
    request.end(body)
  })
}

/** CPU seconds that all nodes have used so far. */
export const nodesCpuSec = (info: DevnetInfo): number =>
  info.nodes.reduce((sum, { pid }) => sum + processCpuSec(pid), 0)

/** Number of the newest block at a node. */
export const blockNumber = async (url: string): Promise<number> => Number(await rpcCall<string>(url, 'eth_blockNumber'))

/** Resolves after so many milliseconds. */
export const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
