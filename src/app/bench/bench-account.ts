import { keccak256 } from '../../base/crypto/keccak.js'
import { addressOfPrivateKey, signDigest } from '../../base/crypto/secp256k1.js'
import { encodeRlp, type RlpItem } from '../../base/encoding/rlp.js'
import { rlpHex, rlpUint } from '../../base/encoding/rlp-fields.js'
import {
  asciiToBytes,
  bytesToHex,
  bytesToUint,
  concatBytes,
  type Hex,
  hexToBytes,
} from '../../base/primitives/bytes.js'
import type { Address } from '../../base/primitives/hashes.js'

/** What a transaction of the benchmark pays for gas at most, in wei. */
export const benchFeeCap = 1_000_000_000_000n
const maxPriorityFeePerGas = 1_000_000n

/** An account that signs fee-market transactions (EIP-1559), one nonce after the other. */
export class BenchAccount {
  readonly address: Address
  constructor(
    private readonly key: Uint8Array,
    private readonly chainId: number,
    private nonce = 0,
  ) {
    this.address = addressOfPrivateKey(key)
  }

  /** The account number `index` of a benchmark; `salt` keeps two benchmarks apart. */
  static derived({ index, salt, chainId }: { index: number; salt: string; chainId: number }): BenchAccount {
    return new BenchAccount(keccak256(asciiToBytes(`morphism bench ${salt} ${index}`)), chainId)
  }

  /** A signed transaction with the next nonce. */
  sign({
    to,
    value = 0n,
    data = new Uint8Array(0),
    gas,
  }: {
    to: Address | null
    value?: bigint
    data?: Uint8Array
    gas: number
  }): Hex {
    const fields: RlpItem[] = [
      rlpUint(this.chainId),
      rlpUint(this.nonce++),
      rlpUint(maxPriorityFeePerGas),
      rlpUint(benchFeeCap),
      rlpUint(gas),
      to === null ? new Uint8Array(0) : rlpHex(to),
      rlpUint(value),
      data,
      [],
    ]
    const type = Uint8Array.of(2)
    const { rs, recovery } = signDigest(keccak256(concatBytes(type, encodeRlp(fields))), this.key)
    const signature = [
      rlpUint(recovery),
      rlpUint(bytesToUint(rs.subarray(0, 32))),
      rlpUint(bytesToUint(rs.subarray(32))),
    ]
    return bytesToHex(concatBytes(type, encodeRlp([...fields, ...signature])))
  }
}

/** Calldata of ERC-20 `transfer(to, amount)`. */
export function erc20TransferData(to: Address, amount: bigint): Uint8Array {
  return hexToBytes(`0xa9059cbb${to.slice(2).padStart(64, '0')}${amount.toString(16).padStart(64, '0')}`)
}
