import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { loadKeyFile, saveKeyFile } from '../../io/keys/key-file.js'

/** Transport identity of a node: the Ed25519 seed behind its libp2p peer id. */
export interface NodeIdentity {
  readonly seed: Uint8Array
  readonly peerId: string
}

/** Reads the node key, or makes one on first use. @throws KeyError */
export async function loadOrCreateNodeIdentity(file: string): Promise<NodeIdentity> {
  if (!existsSync(file)) {
    await mkdir(path.dirname(file), { recursive: true })
    await saveKeyFile(file, Uint8Array.from(randomBytes(32)))
  }
  const seed = await loadKeyFile(file)
  const key = await generateKeyPairFromSeed('Ed25519', seed)
  return { seed, peerId: peerIdFromPrivateKey(key).toString() }
}
