import { addressOfPrivateKey } from '../../src/base/crypto/secp256k1.js'
import { uintToBytes } from '../../src/base/primitives/bytes.js'
import { type Address, zeroHash } from '../../src/base/primitives/hashes.js'
import type { Genesis } from '../../src/io/execution/genesis.js'

/** The one account that sends. */
export const crashKey = uintToBytes(4711, 32)
/** Stores the time at the slot that its input names. */
export const writerContract: Address = '0x00000000000000000000000000000000000c0de0'

/** The chain that is killed and opened again. */
export const crashGenesis: Genesis = {
  chainId: 99,
  timestamp: 1_700_000_000,
  gasLimit: 30_000_000,
  l1OriginNumber: 0,
  l1OriginHash: zeroHash,
  alloc: {
    [addressOfPrivateKey(crashKey)]: { balance: 10n ** 24n },
    [writerContract]: { balance: 0n, nonce: 1, code: '0x425f3555' },
  },
}
