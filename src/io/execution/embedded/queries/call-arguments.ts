import { bytesEqual } from '../../../../base/primitives/bytes.js'
import { type Address, type Hash32, zeroAddress } from '../../../../base/primitives/hashes.js'
import type { Wei } from '../../../../base/primitives/quantities.js'
import type { BlockHeader } from '../../../../base/protocol/block-header.js'
import type { AccessListEntry, Authorization } from '../../../../base/protocol/transaction.js'
import type { CallRequest } from '../reading.js'
import { readAddress, readBytes, readHash, readSafeUint, readUint64, readUint256 } from './hex-arguments.js'
import { ArgumentError, ArgumentFields, type ArgumentReader, arrayOf, serverError } from './rpc-argument.js'

/** The first argument of eth_call and eth_estimateGas. */
export interface CallArguments {
  readonly from: Address
  readonly to: Address | null
  readonly gas: number | undefined
  readonly gasPrice: Wei | undefined
  readonly maxFeePerGas: Wei | undefined
  readonly maxPriorityFeePerGas: Wei | undefined
  readonly value: Wei
  readonly data: Uint8Array
  readonly chainId: bigint | undefined
  readonly accessList: readonly AccessListEntry[] | undefined
  readonly authorizationList: readonly Authorization[] | undefined
}

const maxListItems = 100_000

/** Reads a transaction object. */
export const readCallArguments: ArgumentReader<CallArguments> = value => {
  const fields = ArgumentFields.of(value, 'ethapi.TransactionArgs')
  const data = fields.optional('data', readBytes)
  const input = fields.optional('input', readBytes)
  if (data && input && !bytesEqual(data, input))
    throw new ArgumentError(
      'both "data" and "input" are set and not equal. Please use "input" to pass transaction call data',
    )
  if (fields.raw('blobVersionedHashes') !== undefined)
    throw new ArgumentError('transaction type not supported: blob transactions are not accepted on L2')
  const gas = fields.optional('gas', readUint64)
  fields.optional('nonce', readUint64)
  return {
    from: fields.optional('from', readAddress) ?? zeroAddress,
    to: fields.optional('to', readAddress) ?? null,
    gas: gas === undefined ? undefined : Math.min(Number(gas), Number.MAX_SAFE_INTEGER),
    gasPrice: fields.optional('gasPrice', readUint256),
    maxFeePerGas: fields.optional('maxFeePerGas', readUint256),
    maxPriorityFeePerGas: fields.optional('maxPriorityFeePerGas', readUint256),
    value: fields.optional('value', readUint256) ?? 0n,
    data: input ?? data ?? new Uint8Array(0),
    chainId: fields.optional('chainId', readUint256),
    accessList: fields.optional('accessList', arrayOf(readAccessListEntry, maxListItems)),
    authorizationList: fields.optional('authorizationList', arrayOf(readAuthorization, maxListItems)),
  }
}

const readAccessListEntry: ArgumentReader<AccessListEntry> = value => {
  const fields = ArgumentFields.of(value, 'types.AccessTuple')
  return {
    address: fields.required('address', readAddress),
    storageKeys: fields.required('storageKeys', arrayOf(readHash, maxListItems)),
  }
}

const readAuthorization: ArgumentReader<Authorization> = value => {
  const fields = ArgumentFields.of(value, 'types.SetCodeAuthorization')
  return {
    chainId: fields.required('chainId', readUint256),
    address: fields.required('address', readAddress),
    nonce: fields.required('nonce', readUint64),
    yParity: Number(fields.required('yParity', readUint64)),
    r: fields.required('r', readUint256),
    s: fields.required('s', readUint256),
  }
}

type StateOverrides = NonNullable<CallRequest['overrides']>
type AccountOverride = StateOverrides[Address]
type StorageOverride = Readonly<Record<Hash32, Hash32>>

/** Reads the state overrides of eth_call. */
export const readStateOverrides: ArgumentReader<StateOverrides> = value => {
  const fields = ArgumentFields.of(value, 'override.StateOverride')
  const overrides: Record<Address, AccountOverride> = {}
  for (const name of fields.names()) {
    const address = readAddress(name)
    overrides[address] = fields.required(name, item => readAccountOverride(item, address))
  }
  return overrides
}

function readAccountOverride(value: unknown, address: Address): AccountOverride {
  const fields = ArgumentFields.of(value, 'override.OverrideAccount')
  if (fields.raw('movePrecompileToAddress') !== undefined)
    throw new ArgumentError('movePrecompileToAddress is not supported')
  const state = fields.optional('state', readStorageOverride)
  const stateDiff = fields.optional('stateDiff', readStorageOverride)
  if (state && stateDiff) throw new ArgumentError(`account ${address} has both 'state' and 'stateDiff'`)
  const balance = fields.optional('balance', readUint256)
  const nonce = fields.optional('nonce', readSafeUint)
  const code = fields.optional('code', readBytes)
  return {
    ...(balance === undefined ? {} : { balance }),
    ...(nonce === undefined ? {} : { nonce }),
    ...(code === undefined ? {} : { code }),
    ...(state ? { state } : {}),
    ...(stateDiff ? { stateDiff } : {}),
  }
}

const readStorageOverride: ArgumentReader<StorageOverride> = value => {
  const fields = ArgumentFields.of(value, 'map[common.Hash]common.Hash')
  const words: Record<Hash32, Hash32> = {}
  for (const name of fields.names()) words[readHash(name)] = fields.required(name, readHash)
  return words
}

type BlockOverrides = NonNullable<CallRequest['blockOverrides']>

/** Reads the block overrides of eth_call. */
export const readBlockOverrides: ArgumentReader<BlockOverrides> = value => {
  const fields = ArgumentFields.of(value, 'override.BlockOverrides')
  for (const name of ['difficulty', 'prevRandao', 'blobBaseFee', 'beaconRoot', 'withdrawals'])
    if (fields.raw(name) !== undefined) throw new ArgumentError(`block override ${name} is not supported`)
  const number = fields.optional('number', readSafeUint)
  const timestamp = fields.optional('time', readSafeUint)
  const gasLimit = fields.optional('gasLimit', readSafeUint)
  const feeRecipient = fields.optional('feeRecipient', readAddress)
  const baseFeePerGas = fields.optional('baseFeePerGas', readUint256)
  return {
    ...(number === undefined ? {} : { number }),
    ...(timestamp === undefined ? {} : { timestamp }),
    ...(gasLimit === undefined ? {} : { gasLimit }),
    ...(feeRecipient === undefined ? {} : { feeRecipient }),
    ...(baseFeePerGas === undefined ? {} : { baseFeePerGas }),
  }
}

/** The message call that the arguments stand for, with geth's defaults and checks. @throws ExecutionRpcError */
export function toCallRequest({
  args,
  header,
  gasCap,
  chainId,
}: {
  args: CallArguments
  header: BlockHeader
  gasCap: number
  chainId: number
}): CallRequest {
  if (args.gasPrice !== undefined && (args.maxFeePerGas !== undefined || args.maxPriorityFeePerGas !== undefined))
    throw serverError('both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified')
  if (args.chainId !== undefined && args.chainId !== BigInt(chainId))
    throw serverError(`chainId does not match node's (have=${args.chainId}, want=${chainId})`)
  const maxFeePerGas = args.gasPrice ?? args.maxFeePerGas ?? 0n
  const maxPriorityFeePerGas = args.gasPrice ?? args.maxPriorityFeePerGas ?? 0n
  if (args.maxFeePerGas !== undefined && maxFeePerGas < maxPriorityFeePerGas)
    throw serverError(`maxFeePerGas (${maxFeePerGas}) < maxPriorityFeePerGas (${maxPriorityFeePerGas})`)
  return {
    header,
    from: args.from,
    to: args.to,
    value: args.value,
    data: args.data,
    gas: Math.min(args.gas ?? gasCap, gasCap),
    maxFeePerGas,
    maxPriorityFeePerGas,
    ...(args.accessList ? { accessList: args.accessList } : {}),
    ...(args.authorizationList ? { authorizationList: args.authorizationList } : {}),
  }
}
