import { BaseError, decodeErrorResult, type Hex } from 'viem'
import { messageQueueAbi, registryAbi, rollupAbi, stakingAbi } from './contract-abis.js'
import type { ContractRefusal } from './l1-client.js'
import { shortText } from './rpc/viem-error.js'

const errors = [...rollupAbi, ...messageQueueAbi, ...registryAbi, ...stakingAbi].filter(item => item.type === 'error')

/** The named Solidity error by which a call was reverted, or null when the failure is no revert. */
export function refusalOf(error: unknown): ContractRefusal | null {
  const data = revertData(error)
  if (data === null) return null
  return namedError(data) ?? { errorName: 'Reverted', detail: shortText(error) }
}

function namedError(data: Hex): ContractRefusal | null {
  try {
    const { errorName, args } = decodeErrorResult({ abi: errors, data })
    return { errorName, detail: `${errorName}(${((args ?? []) as readonly unknown[]).map(String).join(', ')})` }
  } catch {
    return null
  }
}

/** Revert data of a failed eth_call; '0x' when it reverted without any; null when it is another failure. */
function revertData(error: unknown): Hex | null {
  if (!(error instanceof BaseError)) return null
  let found: Hex | null = null
  error.walk(cause => {
    const { data, code } = cause as { data?: unknown; code?: unknown }
    if (typeof data === 'string' && data.startsWith('0x')) found = data as Hex
    else if (data && typeof data === 'object' && 'data' in data && typeof data.data === 'string')
      found = data.data as Hex
    else if (code === 3) found = '0x'
    return found !== null
  })
  return found
}
