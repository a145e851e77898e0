import type { Address, BlockHash, Hash32, StateRoot } from '../../../base/primitives/hashes.js'
import type { Height } from '../../../base/primitives/quantities.js'
import type { Block } from '../../../base/protocol/block.js'
import type { BlockContext } from '../../../base/protocol/block-context.js'
import type { AccountState } from '../execution-client.js'
import { ExecutionError } from '../execution-error.js'
import { accountStateOf } from './engine/head-change.js'
import type { StateReader } from './reading.js'
import { decodeAccount, emptyAccount } from './state/account-record.js'
import type { NodeCache } from './state/node-cache.js'
import { chainKeys } from './store/chain-keys.js'
import type { ChainStore } from './store/chain-store.js'

/** The reads of the ExecutionClient port, answered from the store alone. */
export class PortReads {
  constructor(
    private readonly chain: ChainStore,
    private readonly state: StateReader,
    private readonly cache: NodeCache,
  ) {}

  labels(): { readonly safe: Height; readonly finalized: Height } {
    const { safe, finalized } = this.chain.headHeights()
    return { safe, finalized }
  }

  blockAt(height: Height): Block | null {
    return height > this.chain.headHeights().head ? null : this.chain.blockAt(height)
  }

  contextAt(height: Height): BlockContext | null {
    return height > this.chain.headHeights().head ? null : this.chain.contextAt(height)
  }

  blockByHash(hash: BlockHash): Block | null {
    const height = this.chain.heightOf(hash)
    return height === null ? null : this.chain.blockAt(height)
  }

  stateRootAt(height: Height): StateRoot | null {
    return this.chain.headerAt(height)?.stateRoot ?? null
  }

  storageAt(address: Address, slot: Hash32, height: Height): Hash32 {
    const root = this.stateRootAt(height)
    if (root === null) throw new ExecutionError('UNKNOWN_BLOCK', `there is no block at height ${height}`, { height })
    return this.state.storage(root, address, slot)
  }

  accounts(addresses: readonly Address[]): readonly AccountState[] {
    return addresses.map(address => {
      const stored = this.chain.store.get(chainKeys.account(address))
      return accountStateOf(stored === undefined ? emptyAccount : decodeAccount(stored), this.cache)
    })
  }
}
