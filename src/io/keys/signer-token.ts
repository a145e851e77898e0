import { createHmac, timingSafeEqual } from 'node:crypto'
import { bytesToHex } from '../../base/primitives/bytes.js'
import { readSecretFile } from './private-file.js'
import { RemoteSignerError } from './remote-signer-error.js'

/** Fewest characters of a token: 32 of hex are 128 bits. */
const minTokenLength = 32

/** Which end of the link proves that it knows the token. */
export type LinkEnd = 'node' | 'signer'

/** The secret that a node and its signer share, read from a file. @throws RemoteSignerError SIGNER_TOKEN; KeyError KEYSTORE_UNREADABLE, SECRET_FILE_EXPOSED */
export async function loadSignerToken(path: string): Promise<string> {
  const token = (await readSecretFile(path)).trim()
  if (token.length >= minTokenLength) return token
  throw new RemoteSignerError('SIGNER_TOKEN', `the token in ${path} is shorter than ${minTokenLength} characters`, {
    path,
  })
}

/** What an end shows instead of the token: 32 bytes that hold for these two nonces only (HMAC-SHA-256). */
export function tokenProof(
  token: string,
  { end, nonces }: { end: LinkEnd; nonces: readonly Uint8Array[] },
): Uint8Array {
  const text = ['morphism signer link 3', end, ...nonces.map(bytesToHex)].join('\n')
  return new Uint8Array(createHmac('sha256', token).update(text).digest())
}

/** Whether both proofs are equal, in constant time. */
export function isProof(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}
