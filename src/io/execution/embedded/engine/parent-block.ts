import type { BlockHash } from '../../../../base/primitives/hashes.js'
import type { Height } from '../../../../base/primitives/quantities.js'
import type { BlockHeader } from '../../../../base/protocol/block-header.js'
import type { StateView } from '../state/state-view.js'

/** A block that others can be executed on. */
export interface ParentBlock {
  readonly hash: BlockHash
  readonly header: BlockHeader
  readonly state: StateView
  /** Hashes of it and its ancestors, for BLOCKHASH. */
  readonly hashAt: (height: Height) => BlockHash | null
}
