import { concatBytes, hexToBytes, uintToBytes } from '../../../../base/primitives/bytes.js'
import type { Address, BlockHash, Hash32, TransactionHash } from '../../../../base/primitives/hashes.js'
import type { Height } from '../../../../base/primitives/quantities.js'

const prefixed = (prefix: string, ...parts: Uint8Array[]): Uint8Array =>
  concatBytes(Uint8Array.of(prefix.charCodeAt(0)), ...parts)
const heightBytes = (height: Height) => uintToBytes(height, 6)

/** Keys of everything that the embedded client stores; one letter says the kind. */
export const chainKeys = {
  /** Head, safe and finalized. */
  heads: prefixed('m', Uint8Array.of(0)),
  /** Hash of the genesis block and version of this layout. */
  genesis: prefixed('m', Uint8Array.of(1)),
  /** Latest state. */
  account: (address: Address) => prefixed('a', hexToBytes(address)),
  slot: (address: Address, slot: Hash32) => prefixed('s', hexToBytes(address), hexToBytes(slot)),
  /** State of all heights, by content. */
  code: (codeHash: Uint8Array) => prefixed('c', codeHash),
  node: (hash: Uint8Array) => prefixed('n', hash),
  /** Canonical chain. */
  header: (height: Height) => prefixed('h', heightBytes(height)),
  body: (height: Height) => prefixed('b', heightBytes(height)),
  receipts: (height: Height) => prefixed('r', heightBytes(height)),
  height: (hash: BlockHash) => prefixed('i', hexToBytes(hash)),
  transaction: (hash: TransactionHash) => prefixed('t', hexToBytes(hash)),
}
