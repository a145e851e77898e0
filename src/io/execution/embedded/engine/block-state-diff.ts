import { bytesToHex } from '../../../../base/primitives/bytes.js'
import type { BlockHash } from '../../../../base/primitives/hashes.js'
import type { Block } from '../../../../base/protocol/block.js'
import { type BlockStateDiff, maxDiffedAccounts } from '../../execution-client.js'
import { emptyAccount } from '../state/account-record.js'
import type { StateDiff } from '../state/state-diff.js'
import type { TrieStateReader } from '../state/trie-state-reader.js'
import type { ChainStore } from '../store/chain-store.js'
import type { EvmMachine } from './evm-environment.js'
import { importBlock } from './import-block.js'

/** What the execution of a block changed, in the form in which two clients compare. */
export function blockStateDiff({ hash, header }: Block, state: StateDiff): BlockStateDiff {
  const addresses = [...state.changes.accounts.keys()].sort()
  return {
    blockHash: hash,
    height: header.number,
    claimedStateRoot: header.stateRoot,
    computedStateRoot: bytesToHex(state.root),
    accounts: addresses.slice(0, maxDiffedAccounts).map(address => {
      const { nonce, balance, codeHash, storageRoot } = state.changes.accounts.get(address) ?? emptyAccount
      const hashes = { codeHash: bytesToHex(codeHash), storageRoot: bytesToHex(storageRoot) }
      return { address, nonce: Number(nonce), balance, ...hashes }
    }),
    changed: addresses.length,
  }
}

/** Executes a block of the stored chain once more on its parent's state; null for another block and for genesis. `interrupt` as in importBlock. */
export async function storedStateDiff({
  chain,
  states,
  machine,
  blockHash,
  interrupt,
}: {
  readonly chain: ChainStore
  readonly states: TrieStateReader
  readonly machine: EvmMachine
  readonly blockHash: BlockHash
  readonly interrupt?: (() => void) | undefined
}): Promise<BlockStateDiff | null> {
  const height = chain.heightOf(blockHash)
  if (height === null || height === 0) return null
  const block = chain.blockAt(height)
  const header = chain.headerAt(height - 1)
  if (block === null || header === null) return null
  const parent = {
    hash: block.header.parentHash,
    header,
    state: states.at(header.stateRoot),
    hashAt: (of: number) => chain.hashAt(of),
  }
  const result = await importBlock({ machine, parent, block, senders: [], interrupt })
  if ('executed' in result) return blockStateDiff(block, result.executed.state)
  return result.state === null ? null : blockStateDiff(block, result.state)
}
