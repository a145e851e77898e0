import { bytesToHex, type Hex } from '../../../../base/primitives/bytes.js'
import type { Address } from '../../../../base/primitives/hashes.js'
import type { BlockHeader } from '../../../../base/protocol/block-header.js'
import type { ChainReader, StateReader } from '../reading.js'
import { readBlockNumberOrHash, requireHeader } from './block-selector.js'
import { readAddress, readStorageKey, toQuantity } from './hex-arguments.js'
import type { QueryMethods } from './query-method.js'
import { arrayOf, type RpcArguments, readString } from './rpc-argument.js'

/** Most storage slots of one eth_getProof (as geth). */
const maxProofSlots = 1024

/** Balance, code, storage, nonce and proof of an account at a block. */
export function accountQueries({ chain, state }: { chain: ChainReader; state: StateReader }): QueryMethods {
  const headerOf = (args: RpcArguments): BlockHeader => {
    const selector = args.required(readBlockNumberOrHash)
    args.end()
    return requireHeader(chain, selector)
  }
  const accountQuery = (read: (header: BlockHeader, address: Address) => Hex) => (args: RpcArguments) => {
    const address = args.required(readAddress)
    return read(headerOf(args), address)
  }
  return {
    eth_getBalance: accountQuery((header, address) => toQuantity(state.balance(header.stateRoot, address))),
    eth_getTransactionCount: accountQuery((header, address) => toQuantity(state.nonce(header.stateRoot, address))),
    eth_getCode: accountQuery((header, address) => bytesToHex(state.code(header.stateRoot, address))),

    eth_getStorageAt(args) {
      const address = args.required(readAddress)
      const slot = args.required(readStorageKey)
      return state.storage(headerOf(args).stateRoot, address, slot)
    },

    eth_getProof(args) {
      const address = args.required(readAddress)
      const keys = args.required(arrayOf(readProofKey, maxProofSlots))
      const proof = state.proof(
        headerOf(args).stateRoot,
        address,
        keys.map(({ slot }) => slot),
      )
      return {
        address,
        accountProof: proof.accountProof.map(bytesToHex),
        balance: toQuantity(proof.balance),
        codeHash: proof.codeHash,
        nonce: toQuantity(proof.nonce),
        storageHash: proof.storageRoot,
        storageProof: proof.storageProof.map(({ value, proof: nodes }, index) => ({
          key: keys[index]!.shown,
          value: toQuantity(value),
          proof: nodes.map(bytesToHex),
        })),
      }
    },
  }
}

// A key given whole is shown whole, a short one as a quantity: callers compare it with what they sent.
function readProofKey(value: unknown) {
  const slot = readStorageKey(value)
  const isWhole = readString(value).length >= 64
  return { slot, shown: isWhole ? slot : toQuantity(BigInt(slot)) }
}
