import type { Wei } from '../../base/primitives/quantities.js'
import type { BlockHeader } from '../../base/protocol/block-header.js'

const elasticity = 2n
const changeDenominator = 8n

/** The least that later base fees can fall to: an eighth of 7 wei or less is nothing (EIP-1559 in whole wei). */
export function leastBaseFee(baseFee: Wei): Wei {
  return baseFee < 7n ? baseFee : 7n
}

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
