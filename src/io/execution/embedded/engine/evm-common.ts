import { Common, type CommonOpts, Hardfork, Mainnet, type ParamsDict } from '@ethereumjs/common'
import { keccak256 } from '../../../../base/crypto/keccak.js'
import { recoverPublicKey } from '../../../../base/crypto/secp256k1.js'
import { verifyKzgProof } from './kzg-proof.js'

/** The rules by which blocks execute: the newest hardfork that the EVM library supports in full. */
export const hardfork = Hardfork.Osaka

/**
 * Chain rules for the EVM library. It hands its parameters in anew for every transaction object and copies the rules each
 * time; here the second time costs nothing, and the rules, which never change, are their own copy.
 */
class FixedCommon extends Common {
  private readonly known = new Set<ParamsDict>()

  override updateParams(params: ParamsDict): void {
    if (this.known.has(params)) return
    this.known.add(params)
    super.updateParams(params)
  }

  override copy(): Common {
    return this
  }
}

/** Rules of the L2 chain with native signature recovery and fast keccak. */
export function createCommon(chainId: number): Common {
  const options: CommonOpts = {
    chain: { ...Mainnet, chainId, name: 'morphism' },
    hardfork,
    customCrypto: {
      keccak256,
      ecrecover,
      // The EVM asks this object for nothing but the point evaluation of EIP-4844.
      kzg: { verifyProof: verifyKzgProof } as unknown as NonNullable<NonNullable<CommonOpts['customCrypto']>['kzg']>,
    },
  }
  return new FixedCommon(options)
}

/** Public key without its prefix byte, as the ecrecover precompile wants it; throws when there is none. */
function ecrecover(digest: Uint8Array, v: bigint, r: Uint8Array, s: Uint8Array): Uint8Array {
  const rs = new Uint8Array(64)
  rs.set(r, 32 - r.length)
  rs.set(s, 64 - s.length)
  const publicKey = recoverPublicKey(digest, { rs, recovery: v === 28n ? 1 : 0 })
  if (publicKey === null) throw new RangeError('no key made this signature')
  return publicKey.subarray(1)
}
