import type { PrivateKeyAccount } from 'viem/accounts'
import { keccak256, keccak256Hex } from '../../../base/crypto/keccak.js'
import { encodeRlp, type RlpItem } from '../../../base/encoding/rlp.js'
import { rlpHex, rlpUint } from '../../../base/encoding/rlp-fields.js'
import { bytesToHex, concatBytes, hexToBytes } from '../../../base/primitives/bytes.js'
import type { Address, Hash32 } from '../../../base/primitives/hashes.js'
import type { BlobSidecar } from '../l1-client.js'

/** What an L1 transaction offers to pay, in wei per gas and per blob gas. */
export interface L1Fees {
  readonly maxFeePerGas: bigint
  readonly maxPriorityFeePerGas: bigint
  readonly maxFeePerBlobGas: bigint
}

/** A call of an L1 contract, with blobs or without. */
export interface L1Call {
  readonly to: Address
  readonly data: Uint8Array
  readonly gasLimit: bigint
  readonly blobs: readonly BlobSidecar[]
}

/**
 * Signs a call: a fee market transaction (EIP-1559), or with blobs a blob transaction (EIP-4844) in the network form with
 * cell proofs: 0x03 ‖ rlp([transaction, 0x01, blobs, commitments, cellProofs]) (EIP-7594).
 */
export async function signL1Transaction({
  account,
  chainId,
  nonce,
  fees,
  call,
}: {
  account: PrivateKeyAccount
  chainId: number
  nonce: number
  fees: L1Fees
  call: L1Call
}): Promise<{ raw: Uint8Array; hash: Hash32 }> {
  const withBlobs = call.blobs.length > 0
  const type = Uint8Array.of(withBlobs ? 3 : 2)
  const fields: RlpItem[] = [
    rlpUint(chainId),
    rlpUint(nonce),
    rlpUint(fees.maxPriorityFeePerGas),
    rlpUint(fees.maxFeePerGas),
    rlpUint(call.gasLimit),
    rlpHex(call.to),
    rlpUint(0),
    call.data,
    [],
  ]
  if (withBlobs)
    fields.push(
      rlpUint(fees.maxFeePerBlobGas),
      call.blobs.map(blob => rlpHex(blob.versionedHash)),
    )
  const digest = keccak256(concatBytes(type, encodeRlp(fields)))
  const signature = hexToBytes(await account.sign({ hash: bytesToHex(digest) }))
  const [r, s] = [signature.subarray(0, 32), signature.subarray(32, 64)]
  const signed: RlpItem[] = [...fields, rlpUint(signature[64]! % 27), trimZeros(r), trimZeros(s)]
  const body = concatBytes(type, encodeRlp(signed))
  const hash = keccak256Hex(body)
  if (!withBlobs) return { raw: body, hash }
  const network: RlpItem = [
    signed,
    Uint8Array.of(1),
    call.blobs.map(blob => blob.blob),
    call.blobs.map(blob => blob.commitment),
    call.blobs.flatMap(blob => blob.cellProofs),
  ]
  return { raw: concatBytes(type, encodeRlp(network)), hash }
}

function trimZeros(bytes: Uint8Array): Uint8Array {
  let at = 0
  while (at < bytes.length && bytes[at] === 0) at++
  return bytes.subarray(at)
}
