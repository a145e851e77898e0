import { JsonText, toJson } from '../../base/encoding/json.js'
import type { RpcErrorShape } from '../../io/execution/execution-client.js'
import { rpcErrorCodes } from '../../io/execution/execution-rpc-error.js'

/** Identifier of a call, as the caller chose it. */
export type CallId = string | number | null

/** One JSON-RPC 2.0 message that asks for something; a notification has no id and gets no answer. */
export type RpcRequest =
  | { readonly valid: true; readonly id: CallId | undefined; readonly method: string; readonly params: unknown }
  | { readonly valid: false; readonly id: CallId }

/** JSON-RPC's code for text that is no JSON. */
export const parseErrorCode = -32700
/** geth's code for a batch whose answers grow too large. */
export const responseTooLargeCode = -32003
/** geth's code for a call that took too long. */
export const timeoutCode = -32002

/** Reads one message; `valid: false` becomes -32600 'invalid request'. */
export function readRequest(message: unknown): RpcRequest {
  if (typeof message !== 'object' || message === null || Array.isArray(message)) return { valid: false, id: null }
  const { jsonrpc, id, method, params } = message as Record<string, unknown>
  const isId = id === undefined || isCallId(id)
  if (jsonrpc !== '2.0' || typeof method !== 'string' || method === '' || !isId)
    return { valid: false, id: isCallId(id) ? id : null }
  return { valid: true, id, method, params }
}

// An integer that JavaScript would round is refused: an answer must carry the id that was sent.
function isCallId(id: unknown): id is CallId {
  if (typeof id === 'number') return Number.isFinite(id) && (!Number.isInteger(id) || Number.isSafeInteger(id))
  return typeof id === 'string' || id === null
}

/** The text of a successful answer. */
export function resultText(id: CallId, result: unknown): string {
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result instanceof JsonText ? result.text : toJson(result)}}`
}

/** The text of a refusal. */
export function errorText(id: CallId, { code, message, data }: RpcErrorShape): string {
  const error = data === undefined ? { code, message } : { code, message, data }
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"error":${toJson(error)}}`
}

/** -32600 with this message. */
export const invalidRequest = (message: string): RpcErrorShape => ({ code: rpcErrorCodes.invalidRequest, message })
