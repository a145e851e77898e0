import type { BlockHash } from '../../../../base/primitives/hashes.js'
import type { FlatState } from '../state/flat-state.js'
import type { ExecutedBlock } from '../store/chain-store.js'

/** Executed blocks that are not stored: children of the head, and theirs. The oldest of a height give way to new ones. */
export class Candidates {
  private readonly blocks = new Map<BlockHash, ExecutedBlock>()

  constructor(private readonly maxPerHeight = 16) {}

  get(hash: BlockHash): ExecutedBlock | undefined {
    return this.blocks.get(hash)
  }

  add(executed: ExecutedBlock): void {
    const { hash, header } = executed.block
    this.blocks.delete(hash)
    this.blocks.set(hash, executed)
    const rivals = [...this.blocks.values()].filter(({ block }) => block.header.number === header.number)
    if (rivals.length > this.maxPerHeight) this.remove(rivals[0]!.block.hash)
  }

  /** The blocks after `ancestor` up to `hash`, oldest first; null when they are not all here. */
  pathFrom(ancestor: BlockHash, hash: BlockHash): readonly ExecutedBlock[] | null {
    const path: ExecutedBlock[] = []
    for (let next = hash; next !== ancestor; ) {
      const executed = this.blocks.get(next)
      if (executed === undefined) return null
      path.unshift(executed)
      next = executed.block.header.parentHash
    }
    return path
  }

  /** Drops what does not descend from the new head; its children now stand on the stored state. */
  settle(head: BlockHash, stored: FlatState): void {
    const kept = new Set<BlockHash>([head])
    for (const [hash, { block, state }] of this.blocks) {
      const { parentHash } = block.header
      if (!kept.has(parentHash)) continue
      kept.add(hash)
      if (parentHash === head) state.parent = stored
    }
    for (const hash of [...this.blocks.keys()]) if (hash === head || !kept.has(hash)) this.blocks.delete(hash)
  }

  private remove(hash: BlockHash): void {
    this.blocks.delete(hash)
    for (const [child, { block }] of [...this.blocks]) if (block.header.parentHash === hash) this.remove(child)
  }
}
