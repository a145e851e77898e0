import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { bytesToHex } from '../../base/primitives/bytes.js'
import { type BlobCommitment, KzgError } from './kzg.js'

/** The part of @crate-crypto/node-eth-kzg that is used. */
interface DasContext {
  blobToKzgCommitment(blob: Uint8Array): Uint8Array
  computeCellsAndKzgProofs(blob: Uint8Array): { readonly proofs: Uint8Array[] }
}
interface NativeModule {
  readonly DasContextJs: { create(options: { usePrecomp: boolean }): DasContext }
}

const platformPackages: Readonly<Record<string, string>> = {
  'linux-x64': 'linux-x64-gnu',
  'linux-arm64': 'linux-arm64-gnu',
  'darwin-x64': 'darwin-x64',
  'darwin-arm64': 'darwin-arm64',
  'win32-x64': 'win32-x64-msvc',
}

/** KZG on the calling thread; loading the trusted setup takes seconds, each call 50-300 ms. */
export interface NativeKzg {
  commitment(blob: Uint8Array): BlobCommitment
  cellProofs(blob: Uint8Array): Uint8Array[]
}

/** Loads the native library of this platform and its trusted setup. @throws KzgError KZG_UNAVAILABLE */
export function loadNativeKzg(platform = `${process.platform}-${process.arch}`): NativeKzg {
  const context = loadModule(platform).DasContextJs.create({ usePrecomp: false })
  const onBlob = <Value>(run: () => Value): Value => {
    try {
      return run()
    } catch (cause) {
      throw new KzgError('KZG_BAD_BLOB', 'the KZG library refuses the blob', { reason: String(cause) }, { cause })
    }
  }
  return {
    commitment: blob =>
      onBlob(() => {
        const commitment = Uint8Array.from(context.blobToKzgCommitment(blob))
        return { commitment, versionedHash: versionedHashOf(commitment) }
      }),
    cellProofs: blob =>
      onBlob(() => context.computeCellsAndKzgProofs(blob).proofs.map(proof => Uint8Array.from(proof))),
  }
}

/** 0x01 ‖ last 31 bytes of sha256 (EIP-4844, kzg_to_versioned_hash). */
export function versionedHashOf(commitment: Uint8Array): BlobCommitment['versionedHash'] {
  const hash = Uint8Array.from(createHash('sha256').update(commitment).digest())
  hash[0] = 1
  return bytesToHex(hash)
}

function loadModule(platform: string): NativeModule {
  const suffix = platformPackages[platform]
  const name = `@crate-crypto/node-eth-kzg-${suffix ?? platform}`
  try {
    return createRequire(import.meta.url)(name) as NativeModule
  } catch (cause) {
    throw new KzgError(
      'KZG_UNAVAILABLE',
      `batches need the KZG library of this platform: npm package ${name} is not installed`,
      { platform },
      { cause },
    )
  }
}
