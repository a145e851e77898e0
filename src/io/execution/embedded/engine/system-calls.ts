import { createHash } from 'node:crypto'
import type { Block as EvmBlock } from '@ethereumjs/block'
import { Address as EvmAddress } from '@ethereumjs/util'
import { bytesToHex, concatBytes, hexToBytes } from '../../../../base/primitives/bytes.js'
import type { Address, BlockHash, ContextHash, Hash32 } from '../../../../base/primitives/hashes.js'
import type { BlockEnvironment, EvmMachine } from './evm-environment.js'
import { callKnownCode } from './known-system-calls.js'

const systemAddress: Address = '0xfffffffffffffffffffffffffffffffffffffffe'
/** Contract that keeps the block contexts (EIP-4788). */
const contextRootsAddress: Address = '0x000f3df6d732807ef1319fb7b8bb8522d0beac02'
/** Contract that keeps block hashes (EIP-2935). */
const blockHashesAddress: Address = '0x0000f90827f1c53a10cb7a02335b175320002935'
/** Queue of withdrawal requests (EIP-7002). */
const withdrawalRequestsAddress: Address = '0x00000961ef480eb55e80d19ad83579a64c007002'
/** Queue of consolidation requests (EIP-7251). */
const consolidationRequestsAddress: Address = '0x0000bbddc7ce488642fb579f8b00f3a590007251'
const systemGas = 30_000_000n

/** Where a block's system calls run. */
export interface SystemCallSite {
  readonly machine: EvmMachine
  readonly block: EvmBlock
  readonly environment: BlockEnvironment
}

/** A system call whose failure makes the block invalid failed (EIP-7002, EIP-7251). */
export interface SystemCallFailure {
  readonly address: Address
  readonly detail: string
}

/** Calls that open a block: its context into EIP-4788's contract, the parent's hash into EIP-2935's. */
export async function runOpeningCalls(
  site: SystemCallSite,
  { context, parentHash }: { readonly context: ContextHash; readonly parentHash: BlockHash },
): Promise<void> {
  await systemCall(site, { to: contextRootsAddress, data: hexToBytes(context) })
  await systemCall(site, { to: blockHashesAddress, data: hexToBytes(parentHash) })
}

/** Calls that close a block; gives the hash of the execution requests (EIP-7685). */
export async function runClosingCalls(
  site: SystemCallSite,
): Promise<{ readonly requestsHash: Hash32 } | SystemCallFailure> {
  const queues = [
    { type: 1, address: withdrawalRequestsAddress },
    { type: 2, address: consolidationRequestsAddress },
  ]
  const hashes: Uint8Array[] = []
  for (const { type, address } of queues) {
    const result = await systemCall(site, { to: address, data: new Uint8Array(0) })
    if (result === null) continue
    if (result.error !== null) return { address, detail: result.error }
    if (result.data.length > 0) hashes.push(sha256(concatBytes(Uint8Array.of(type), result.data)))
  }
  return { requestsHash: bytesToHex(sha256(concatBytes(...hashes))) }
}

/** Null when nothing is deployed at the address, as the EIPs say. */
async function systemCall(
  { machine, block, environment }: SystemCallSite,
  { to, data }: { to: Address; data: Uint8Array },
): Promise<{ readonly data: Uint8Array; readonly error: string | null } | null> {
  const { vm, state } = machine
  if (state.working.code(to).length === 0) return null
  const returned = callKnownCode({ working: state.working, environment, to, data })
  if (returned !== null) {
    state.working.startTransaction()
    return { data: returned, error: null }
  }
  const { execResult } = await vm.evm.runCall({
    block,
    caller: new EvmAddress(hexToBytes(systemAddress)),
    to: new EvmAddress(hexToBytes(to)),
    data,
    gasLimit: systemGas,
    value: 0n,
    skipNonceIncrement: true,
  })
  await vm.evm.journal.cleanup()
  state.originalStorageCache.clear()
  return { data: execResult.returnValue, error: execResult.exceptionError?.error ?? null }
}

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest()
