import * as real from '../../../src/base/protocol/block.js'

export * from '../../../src/base/protocol/block.js'

const opened = new WeakMap<real.EncodedBlock, { readonly within: string; readonly block: real.Block }>()

/** Opens a block that came as one message once for all nodes. */
export const openBlock: typeof real.openBlock = (block, limits) => {
  const within = JSON.stringify(limits)
  const known = opened.get(block)
  if (known?.within === within) return known.block
  const open = real.openBlock(block, limits)
  opened.set(block, { within, block: open })
  return open
}
