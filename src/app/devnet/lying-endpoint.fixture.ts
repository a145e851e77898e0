import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Call {
  readonly id: number
  readonly method: string
  readonly params: readonly unknown[]
}

/** What it says whatever is true: prices a million times too high, a nonce far away, calls that succeed, transactions that it drops. */
const lies: Readonly<Record<string, (truth: unknown) => unknown>> = {
  eth_maxPriorityFeePerGas: () => '0x38d7ea4c68000',
  eth_blobBaseFee: () => '0x38d7ea4c68000',
  eth_getBlockByNumber: truth => ({ ...(truth as object), baseFeePerGas: '0x38d7ea4c68000' }),
  eth_blockNumber: () => '0xffffff',
  eth_getTransactionCount: () => '0x999',
  eth_call: () => '0x',
  eth_sendRawTransaction: () => `0x${'ee'.repeat(32)}`,
  eth_getTransactionReceipt: () => null,
}

/** An L1 endpoint that lies to those who send transactions, and knows the truth from another. */
export async function startLiar(truthUrl: string): Promise<{ url: string; stop(): void }> {
  const answer = async ({ id, method, params }: Call) => {
    const lie = lies[method]
    const isFree = lie !== undefined && lie.length === 0
    const truth = isFree ? null : await ask(truthUrl, { id, method, params })
    return lie ? { jsonrpc: '2.0', id, result: lie((truth as { result?: unknown } | null)?.result) } : truth
  }
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const part of request) body += part
    const calls = JSON.parse(body) as Call | Call[]
    const answers = Array.isArray(calls) ? await Promise.all(calls.map(answer)) : await answer(calls)
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answers))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

async function ask(url: string, call: Call): Promise<unknown> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ jsonrpc: '2.0', ...call }) })
  return response.json()
}
