import { KeyError } from './key-error.js'
import { readSecretFile, writePrivateFile } from './private-file.js'

/** Saves a 32-byte secp256k1 key or Ed25519 seed as hex in a 0600 file. @throws KeyError KEYSTORE_UNWRITABLE also when the file exists */
export async function saveKeyFile(path: string, key: Uint8Array): Promise<void> {
  if (key.length !== 32) throw new RangeError('a key has 32 bytes')
  await writePrivateFile({ path, content: `0x${Buffer.from(key).toString('hex')}\n` })
}

/** Loads a 32-byte key saved as hex, with or without 0x. @throws KeyError KEYSTORE_UNREADABLE, KEYSTORE_MALFORMED, SECRET_FILE_EXPOSED */
export async function loadKeyFile(path: string): Promise<Uint8Array> {
  const text = (await readSecretFile(path)).trim()
  const digits = /^(?:0x)?([0-9a-fA-F]{64})$/.exec(text)?.[1]
  if (!digits) throw new KeyError('KEYSTORE_MALFORMED', `${path} does not hold 32 bytes in hex`, { path })
  return Uint8Array.from(Buffer.from(digits, 'hex'))
}
