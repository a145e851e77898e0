import type { Wei } from '../../base/primitives/quantities.js'
import type { BlockHeader } from '../../base/protocol/block-header.js'

const elasticity = 2n
const changeDenominator = 8n

/** Base fee of the child of a block (EIP-1559). */
export function nextBaseFee({
  baseFeePerGas,
  gasUsed,
  gasLimit,
}: Pick<BlockHeader, 'baseFeePerGas' | 'gasUsed' | 'gasLimit'>): Wei {
  const target = BigInt(gasLimit) / elasticity
  const used = BigInt(gasUsed)
  if (used === target) return baseFeePerGas
  const change = (baseFeePerGas * (used > target ? used - target : target - used)) / target / changeDenominator
  if (used > target) return baseFeePerGas + (change > 0n ? change : 1n)
  return baseFeePerGas - change
}
