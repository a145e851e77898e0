/** The least gas limit of an Ethereum block (yellow paper, 4.3.4). */
export const leastGasLimit = 5_000
/** A child's gas limit differs from its parent's by less than this part of it (yellow paper, 4.3.4). */
const boundDivisor = 1_024

/**
 * Gas limit of the child of a block: as far towards the parameter as Ethereum lets one block go (spec/blocks.md). While the
 * parameter does not change it is the parameter.
 */
export function nextGasLimit({
  parentGasLimit,
  gasLimit,
}: {
  parentGasLimit: number
  /** The parameter at the child's height. */
  gasLimit: number
}): number {
  const step = Math.floor(parentGasLimit / boundDivisor) - 1
  return gasLimit > parentGasLimit
    ? Math.min(gasLimit, parentGasLimit + step)
    : Math.max(gasLimit, parentGasLimit - step)
}
