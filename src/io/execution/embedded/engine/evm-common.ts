import { Common, type CommonOpts, Hardfork, Mainnet, type ParamsDict } from '@ethereumjs/common'
import { keccak256 } from '../../../../base/crypto/keccak.js'
import { recoverPublicKey } from '../../../../base/crypto/secp256k1.js'
import { verifyKzgProof } from './kzg-proof.js'

/** The rules by which blocks execute: the newest hardfork that the EVM library supports in full. */
export const hardfork = Hardfork.Osaka

/**
 * Chain rules for the EVM library that never change. The library hands its parameters in anew for every transaction object,
 * copies the rules each time, and searches lists at every opcode; here the second time of each costs nothing.
 */
class FixedCommon extends Common {
  private readonly known = new Set<ParamsDict>()
  private readonly activated = new Map<number, boolean>()
  private readonly reached = new Map<string, boolean>()

  override updateParams(params: ParamsDict): void {
    if (this.known.has(params)) return
    this.known.add(params)
    super.updateParams(params)
  }

  override copy(): Common {
    return this
  }

  override isActivatedEIP(eip: number): boolean {
    // The base constructor asks before the fields of this class exist.
    let active = this.activated?.get(eip)
    if (active === undefined) {
      active = super.isActivatedEIP(eip)
      this.activated?.set(eip, active)
    }
    return active
  }

  override gteHardfork(name: string): boolean {
    let reached = this.reached?.get(name)
    if (reached === undefined) {
      reached = super.gteHardfork(name)
      this.reached?.set(name, reached)
    }
    return reached
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
