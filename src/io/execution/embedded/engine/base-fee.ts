import type { Wei } from '../../../../base/primitives/quantities.js'
import type { BlockHeader } from '../../../../base/protocol/block-header.js'

/** Base fee of the block after `parent` (EIP-1559: target half the limit, change at most an eighth). */
export function nextBaseFee(parent: Pick<BlockHeader, 'gasLimit' | 'gasUsed' | 'baseFeePerGas'>): Wei {
  const target = BigInt(Math.floor(parent.gasLimit / 2))
  const used = BigInt(parent.gasUsed)
  const fee = parent.baseFeePerGas
  if (used === target) return fee
  if (used > target) {
    const rise = (fee * (used - target)) / target / 8n
    return fee + (rise > 0n ? rise : 1n)
  }
  return fee - (fee * (target - used)) / target / 8n
}
