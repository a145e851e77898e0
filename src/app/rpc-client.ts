import { AppError } from './app-error.js'

/** Calls a JSON-RPC method over HTTP. @throws AppError RPC_UNREACHABLE, RPC_ERROR */
export async function callRpc<Answer = unknown>({
  url,
  method,
  params = [],
  timeoutMs = 5_000,
}: {
  url: string
  method: string
  params?: readonly unknown[]
  timeoutMs?: number
}): Promise<Answer> {
  let body: { result?: unknown; error?: { code: number; message: string } }
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
      signal: AbortSignal.timeout(timeoutMs),
    })
    body = (await response.json()) as typeof body
  } catch (cause) {
    throw new AppError('RPC_UNREACHABLE', `no answer from ${url}`, { url, method }, { cause })
  }
  if (body.error) throw new AppError('RPC_ERROR', `${method}: ${body.error.message}`, { url, code: body.error.code })
  return body.result as Answer
}
