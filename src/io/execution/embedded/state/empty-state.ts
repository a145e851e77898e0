import { emptyRoot } from '../../../../base/crypto/trie/update-trie.js'
import { ExecutionError } from '../../execution-error.js'
import type { StateView } from './state-view.js'

/** The state before genesis. */
export const emptyState: StateView = {
  root: emptyRoot,
  account: () => null,
  slot: () => new Uint8Array(0),
  code: () => new Uint8Array(0),
  node() {
    throw new ExecutionError('STORE_CORRUPT', 'the empty trie has no nodes')
  },
}
