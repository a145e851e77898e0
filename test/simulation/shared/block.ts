import * as real from '../../../src/base/protocol/block.js'

export * from '../../../src/base/protocol/block.js'

const opened = new WeakMap<real.EncodedBlock, real.Block>()

/** Opens a block that came as one message once for all nodes. */
export const openBlock: typeof real.openBlock = (block, limits) => {
  const known = opened.get(block)
  if (known) return known
  const open = real.openBlock(block, limits)
  opened.set(block, open)
  return open
}
