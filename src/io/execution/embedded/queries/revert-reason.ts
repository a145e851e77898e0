import { bytesEqual, bytesToHex, bytesToUint, hexToBytes } from '../../../../base/primitives/bytes.js'
import { ExecutionRpcError, rpcErrorCodes } from '../../execution-rpc-error.js'

const errorSelector = hexToBytes('0x08c379a0')
const panicSelector = hexToBytes('0x4e487b71')

/** Meanings of Solidity's panic codes, in geth's words. */
const panicReasons: ReadonlyMap<bigint, string> = new Map([
  [0x00n, 'generic panic'],
  [0x01n, 'assert(false)'],
  [0x11n, 'arithmetic underflow or overflow'],
  [0x12n, 'division or modulo by zero'],
  [0x21n, 'enum overflow'],
  [0x22n, 'invalid encoded storage byte array accessed'],
  [0x31n, 'out-of-bounds array access; popping on an empty array'],
  [0x32n, 'out-of-bounds access of an array or bytesN'],
  [0x41n, 'out of memory'],
  [0x51n, 'uninitialized function'],
])

/** The reason in revert data of Solidity's Error(string) or Panic(uint256), or null. */
export function revertReason(data: Uint8Array): string | null {
  const selector = data.subarray(0, 4)
  const body = data.subarray(4)
  if (bytesEqual(selector, panicSelector) && body.length >= 32) {
    const code = bytesToUint(body.subarray(0, 32))
    return panicReasons.get(code) ?? `unknown panic code: 0x${code.toString(16)}`
  }
  if (!bytesEqual(selector, errorSelector) || body.length < 64) return null
  const offset = bytesToUint(body.subarray(0, 32))
  if (offset > BigInt(body.length - 32)) return null
  const start = Number(offset) + 32
  const length = bytesToUint(body.subarray(start - 32, start))
  if (length > BigInt(body.length - start)) return null
  return new TextDecoder().decode(body.subarray(start, start + Number(length)))
}

/** The error of a reverted call: code 3 with the revert data. */
export function revertError(data: Uint8Array): ExecutionRpcError {
  const reason = revertReason(data)
  return new ExecutionRpcError({
    code: rpcErrorCodes.executionReverted,
    message: reason === null ? 'execution reverted' : `execution reverted: ${reason}`,
    data: bytesToHex(data),
  })
}
