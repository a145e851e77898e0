import { bytesToHex } from '../../../../base/primitives/bytes.js'
import { type Address, type Hash32, zeroAddress } from '../../../../base/primitives/hashes.js'
import type { AccessListEntry } from '../../../../base/protocol/transaction.js'
import type { CallExecutor, CallOutcome, CallRequest, ChainReader, StateReader } from '../reading.js'
import { latestBlock, readBlockNumberOrHash, requireHeader } from './block-selector.js'
import { readBlockOverrides, readCallArguments, readStateOverrides, toCallRequest } from './call-arguments.js'
import { toQuantity } from './hex-arguments.js'
import type { QueryMethods } from './query-method.js'
import { revertError } from './revert-reason.js'
import { type RpcArguments, serverError } from './rpc-argument.js'

/** Gas of a plain transfer (yellow paper, G_transaction). */
const transferGas = 21_000
const callStipend = 2_300
/** A search ends when its bounds are this near to each other (geth: 1.5 %). */
const errorRatio = 0.015
/** A contract can touch something else in each run; geth has no bound but time. */
const maxAccessListRuns = 16

/** Bounds of calls. */
export interface CallLimits {
  /** Most gas of one eth_call. */
  readonly callGas: number
  /** Most gas that a transaction may have (EIP-7825), where the fork has such a bound. */
  readonly transactionGas?: number
}

/** eth_call, eth_estimateGas and eth_createAccessList. */
export function callQueries({
  chain,
  state,
  calls,
  chainId,
  limits,
}: {
  chain: ChainReader
  state: StateReader
  calls: CallExecutor
  chainId: number
  limits: CallLimits
}): QueryMethods {
  const readRequest = (args: RpcArguments) => {
    const callArguments = args.required(readCallArguments)
    const selector = args.optional(readBlockNumberOrHash) ?? latestBlock
    const overrides = args.optional(readStateOverrides)
    const blockOverrides = args.optional(readBlockOverrides)
    args.end()
    const header = requireHeader(chain, selector)
    const call = toCallRequest({ args: callArguments, header, gasCap: limits.callGas, chainId })
    const funded = withFundedZero(call, overrides)
    const request: CallRequest = {
      ...call,
      ...(funded ? { overrides: funded } : {}),
      ...(blockOverrides ? { blockOverrides } : {}),
    }
    return { request, requestedGas: callArguments.gas }
  }

  return {
    async eth_call(args, signal) {
      const outcome = await calls.call(readRequest(args).request, signal)
      if (outcome.status === 'returned') return bytesToHex(outcome.data)
      throw outcome.status === 'reverted' ? revertError(outcome.data) : serverError(outcome.message)
    },
    async eth_estimateGas(args, signal) {
      const { request, requestedGas } = readRequest(args)
      const gasLimit = request.blockOverrides?.gasLimit ?? request.header.gasLimit
      let allowance = requestedGas !== undefined && requestedGas >= transferGas ? requestedGas : gasLimit
      allowance = Math.min(allowance, limits.callGas, limits.transactionGas ?? allowance, affordableGas(state, request))
      const gas = await estimateGas({ request, allowance, isTransfer: isTransfer(state, request), calls, signal })
      return toQuantity(gas)
    },
    eth_createAccessList: async (args, signal) =>
      createAccessList({ request: readRequest(args).request, calls, signal }),
  }
}

/**
 * All that a call touches, and the gas it uses when the list says so from the start (geth's eth_createAccessList). What is warm
 * may decide what a contract touches next, so it is run again until nothing is new. A call that fails has a list too.
 */
async function createAccessList({
  request,
  calls,
  signal,
}: {
  request: CallRequest
  calls: CallExecutor
  signal: AbortSignal | undefined
}) {
  let accessList = mergedAccessList(request.accessList ?? [], [])
  for (let runs = 0; runs < maxAccessListRuns; runs++) {
    const { outcome, accessed } = await calls.callWithAccesses({ ...request, accessList }, signal)
    if (outcome.status === 'failed' && outcome.gasUsed === 0)
      throw serverError(`failed to apply transaction: ${outcome.message}`)
    if (accessed.length === 0) {
      const error = outcome.status === 'failed' ? outcome.message : 'execution reverted'
      return { accessList, ...(outcome.status === 'returned' ? {} : { error }), gasUsed: toQuantity(outcome.gasUsed) }
    }
    accessList = mergedAccessList(accessList, accessed)
  }
  throw serverError('the access list of this call grows without end')
}

/** One entry for each address, in the order of first mention. */
function mergedAccessList(...lists: readonly (readonly AccessListEntry[])[]): AccessListEntry[] {
  const merged = new Map<Address, Set<Hash32>>()
  for (const { address, storageKeys } of lists.flat())
    merged.set(address, new Set([...(merged.get(address) ?? []), ...storageKeys]))
  return [...merged].map(([address, keys]) => ({ address, storageKeys: [...keys] }))
}

/**
 * A call without a sender comes from the zero address, and wallets estimate transfers that way: on mainnet it holds ETH, so here
 * it has at least the value of the call.
 */
function withFundedZero({ from, value }: CallRequest, overrides: CallRequest['overrides']): CallRequest['overrides'] {
  if (from !== zeroAddress || value === 0n || overrides?.[zeroAddress]?.balance !== undefined) return overrides
  return { ...overrides, [zeroAddress]: { ...overrides?.[zeroAddress], balance: value } }
}

/** The most gas that the sender can pay for at the price it offers. @throws ExecutionRpcError */
function affordableGas(state: StateReader, { header, from, value, maxFeePerGas, overrides }: CallRequest): number {
  if (maxFeePerGas === 0n) return Number.MAX_SAFE_INTEGER
  const balance = overrides?.[from]?.balance ?? state.balance(header.stateRoot, from)
  if (value > balance)
    throw serverError(`insufficient funds for gas * price + value: address ${from} have ${balance} want ${value}`)
  return Number((balance - value) / maxFeePerGas)
}

function isTransfer(state: StateReader, { header, to, data, overrides, authorizationList }: CallRequest): boolean {
  if (to === null || data.length > 0 || authorizationList) return false
  return (overrides?.[to]?.code ?? state.code(header.stateRoot, to)).length === 0
}

async function estimateGas({
  request,
  allowance,
  isTransfer,
  calls,
  signal,
}: {
  request: CallRequest
  allowance: number
  isTransfer: boolean
  calls: CallExecutor
  signal: AbortSignal | undefined
}): Promise<number> {
  const run = (gas: number): Promise<CallOutcome> => calls.call({ ...request, gas }, signal)
  if (isTransfer && allowance >= transferGas && (await run(transferGas)).status === 'returned') return transferGas

  const most = await run(allowance)
  if (most.status === 'reverted') throw revertError(most.data)
  if (most.status === 'failed')
    throw serverError(isGasShort(most) ? `gas required exceeds allowance (${allowance})` : most.message)

  let tooLow = most.gasUsed - 1
  let enough = allowance
  // Most calls need little more than they use: 1/64 held back per call, and the stipend.
  const likely = Math.floor(((most.gasUsed + callStipend) * 64) / 63)
  if (likely < enough) {
    if ((await run(likely)).status === 'returned') enough = likely
    else tooLow = likely
  }
  while (tooLow + 1 < enough) {
    if ((enough - tooLow) / enough < errorRatio) break
    const middle = Math.min(Math.floor((enough + tooLow) / 2), tooLow * 2)
    if ((await run(middle)).status === 'returned') enough = middle
    else tooLow = middle
  }
  return enough
}

const isGasShort = ({ message }: { message: string }): boolean =>
  message.includes('out of gas') || message.includes('intrinsic gas too low') || message.includes('floor data gas')
