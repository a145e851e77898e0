import { createCipheriv, createDecipheriv, createHash, pbkdf2, randomBytes, randomUUID, scrypt } from 'node:crypto'
import { promisify } from 'node:util'
import { bytesEqual } from '../../base/primitives/bytes.js'
import { KeyError } from './key-error.js'
import { readKeyFile, writePrivateFile } from './private-file.js'

const pbkdf2Async = promisify(pbkdf2)

interface Module<Name extends string, Params> {
  readonly function: Name
  readonly params: Params
  readonly message: string
}
interface ScryptParams {
  readonly dklen: number
  readonly n: number
  readonly r: number
  readonly p: number
  readonly salt: string
}
interface Pbkdf2Params {
  readonly dklen: number
  readonly c: number
  readonly prf: 'hmac-sha256'
  readonly salt: string
}
type Kdf = Module<'scrypt', ScryptParams> | Module<'pbkdf2', Pbkdf2Params>

/** An encrypted BLS12-381 secret key as EIP-2335 writes it (version 4). */
export interface Eip2335Keystore {
  readonly crypto: {
    readonly kdf: Kdf
    readonly checksum: Module<'sha256', Record<string, never>>
    readonly cipher: Module<'aes-128-ctr', { readonly iv: string }>
  }
  readonly description?: string
  readonly pubkey?: string
  readonly path: string
  readonly uuid: string
  readonly version: 4
}

/** How dear a guess of the password is. `light` (n = 2^14, 50 ms) is for devnets whose passwords are public. */
export type KeystoreCost = 'standard' | 'light'

/** Fewest characters of a password: none at all, as of an empty file, protects nothing. */
const minPasswordLength = 8

/** Encrypts a 32-byte secret under a password. @throws KeyError KEYSTORE_WEAK_PASSWORD */
export async function encryptKeystore({
  secret,
  password,
  publicKey,
  kdf = 'scrypt',
  cost = 'standard',
  path = '',
  description,
}: {
  secret: Uint8Array
  password: string
  publicKey?: Uint8Array
  kdf?: 'scrypt' | 'pbkdf2'
  cost?: KeystoreCost
  /** EIP-2334 derivation path, empty when the key was not derived. */
  path?: string
  description?: string
}): Promise<Eip2335Keystore> {
  requireStrong(password)
  const salt = randomBytes(32).toString('hex')
  const iv = randomBytes(16)
  const light = cost === 'light'
  const module: Kdf =
    kdf === 'scrypt'
      ? { function: 'scrypt', params: { dklen: 32, n: light ? 2 ** 14 : 2 ** 18, r: 8, p: 1, salt }, message: '' }
      : {
          function: 'pbkdf2',
          params: { dklen: 32, c: light ? 2 ** 14 : 2 ** 18, prf: 'hmac-sha256', salt },
          message: '',
        }
  const key = await deriveKey(module, password)
  const cipher = createCipheriv('aes-128-ctr', key.subarray(0, 16), iv)
  const encrypted = Buffer.concat([cipher.update(secret), cipher.final()])
  return {
    crypto: {
      kdf: module,
      checksum: { function: 'sha256', params: {}, message: checksum(key, encrypted).toString('hex') },
      cipher: { function: 'aes-128-ctr', params: { iv: iv.toString('hex') }, message: encrypted.toString('hex') },
    },
    ...(description === undefined ? {} : { description }),
    ...(publicKey === undefined ? {} : { pubkey: Buffer.from(publicKey).toString('hex') }),
    path,
    uuid: randomUUID(),
    version: 4,
  }
}

/** The secret in a keystore. @throws KeyError KEYSTORE_WRONG_PASSWORD, KEYSTORE_MALFORMED */
export async function decryptKeystore(keystore: Eip2335Keystore, password: string): Promise<Uint8Array> {
  const { kdf, cipher, checksum: sum } = keystore.crypto
  const key = await deriveKey(kdf, password)
  const encrypted = Buffer.from(cipher.message, 'hex')
  if (!bytesEqual(checksum(key, encrypted), Buffer.from(sum.message, 'hex')))
    throw new KeyError('KEYSTORE_WRONG_PASSWORD', 'the password does not open the keystore')
  const decipher = createDecipheriv('aes-128-ctr', key.subarray(0, 16), Buffer.from(cipher.params.iv, 'hex'))
  return Uint8Array.from(Buffer.concat([decipher.update(encrypted), decipher.final()]))
}

/** Writes a keystore to a 0600 file; an existing file is not replaced. @throws KeyError KEYSTORE_UNWRITABLE */
export async function saveKeystore(path: string, keystore: Eip2335Keystore): Promise<void> {
  await writePrivateFile({ path, content: `${JSON.stringify(keystore, null, 2)}\n` })
}

/** Reads a keystore file. @throws KeyError KEYSTORE_UNREADABLE, KEYSTORE_MALFORMED */
export async function loadKeystore(path: string): Promise<Eip2335Keystore> {
  const json = await readKeyFile(path)
  return namingFile(path, () => parseKeystore(json))
}

/** The secret in a keystore file. @throws KeyError KEYSTORE_UNREADABLE, KEYSTORE_MALFORMED, KEYSTORE_WRONG_PASSWORD */
export async function openKeystore(path: string, password: string): Promise<Uint8Array> {
  const keystore = await loadKeystore(path)
  return namingFile(path, () => decryptKeystore(keystore, password))
}

/** What is wrong with a keystore is told with the file that holds it. */
async function namingFile<Value>(path: string, read: () => Value | Promise<Value>): Promise<Value> {
  try {
    return await read()
  } catch (cause) {
    if (!(cause instanceof KeyError)) throw cause
    throw new KeyError(cause.code, `${path}: ${cause.message}`, { ...cause.data, path }, { cause })
  }
}

/** Reads the JSON of a keystore; bounds the work that its parameters ask for. @throws KeyError KEYSTORE_MALFORMED */
export function parseKeystore(json: string): Eip2335Keystore {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (error) {
    throw new KeyError('KEYSTORE_MALFORMED', 'the keystore is not JSON', {}, { cause: error })
  }
  const root = object(value, 'keystore')
  if (root.version !== 4) throw malformed('version', 'is not 4')
  const crypto = object(root.crypto, 'crypto')
  const sum = object(crypto.checksum, 'crypto.checksum')
  const cipher = object(crypto.cipher, 'crypto.cipher')
  if (sum.function !== 'sha256') throw malformed('crypto.checksum.function', 'is not sha256')
  if (cipher.function !== 'aes-128-ctr') throw malformed('crypto.cipher.function', 'is not aes-128-ctr')
  const iv = hex(object(cipher.params, 'crypto.cipher.params').iv, 'crypto.cipher.params.iv', 16)
  return {
    crypto: {
      kdf: parseKdf(object(crypto.kdf, 'crypto.kdf')),
      checksum: { function: 'sha256', params: {}, message: hex(sum.message, 'crypto.checksum.message', 32) },
      cipher: { function: 'aes-128-ctr', params: { iv }, message: hex(cipher.message, 'crypto.cipher.message', 32) },
    },
    ...(typeof root.description === 'string' ? { description: root.description } : {}),
    ...(root.pubkey === undefined ? {} : { pubkey: hex(root.pubkey, 'pubkey', 48) }),
    path: typeof root.path === 'string' ? root.path : '',
    uuid: typeof root.uuid === 'string' ? root.uuid : '',
    version: 4,
  }
}

function parseKdf(kdf: Record<string, unknown>): Kdf {
  const params = object(kdf.params, 'crypto.kdf.params')
  const dklen = integer(params.dklen, 'crypto.kdf.params.dklen', { min: 32, max: 64 })
  const salt = hex(params.salt, 'crypto.kdf.params.salt')
  if (kdf.function === 'pbkdf2') {
    if (params.prf !== 'hmac-sha256') throw malformed('crypto.kdf.params.prf', 'is not hmac-sha256')
    const c = integer(params.c, 'crypto.kdf.params.c', { min: 1, max: 2 ** 24 })
    return { function: 'pbkdf2', params: { dklen, c, prf: 'hmac-sha256', salt }, message: '' }
  }
  if (kdf.function !== 'scrypt') throw malformed('crypto.kdf.function', 'is neither scrypt nor pbkdf2')
  const n = integer(params.n, 'crypto.kdf.params.n', { min: 2, max: 2 ** 20 })
  if (n & (n - 1)) throw malformed('crypto.kdf.params.n', 'is no power of two')
  const r = integer(params.r, 'crypto.kdf.params.r', { min: 1, max: 16 })
  const p = integer(params.p, 'crypto.kdf.params.p', { min: 1, max: 16 })
  return { function: 'scrypt', params: { dklen, n, r, p, salt }, message: '' }
}

/** The decryption key; hundreds of milliseconds of work, on libuv's threads. */
function deriveKey({ function: name, params }: Kdf, password: string): Promise<Buffer> {
  const secret = normalizePassword(password)
  const salt = Buffer.from(params.salt, 'hex')
  if (name === 'pbkdf2') return pbkdf2Async(secret, salt, params.c, params.dklen, 'sha256')
  const { n: N, r, p, dklen } = params
  return new Promise((resolve, reject) =>
    scrypt(secret, salt, dklen, { N, r, p, maxmem: 128 * r * (N + p + 2) + (1 << 20) }, (error, key) =>
      error ? reject(error) : resolve(key),
    ),
  )
}

/** EIP-2335: NFKD, then C0, C1 and Delete are stripped, then UTF-8. */
function normalizePassword(password: string): Buffer {
  return Buffer.from(keptCharacters(password).join(''), 'utf8')
}

function keptCharacters(password: string): string[] {
  return [...password.normalize('NFKD')].filter(character => {
    const code = character.codePointAt(0)!
    return code > 0x1f && (code < 0x7f || code > 0x9f)
  })
}

function requireStrong(password: string): void {
  const { length } = keptCharacters(password)
  if (length >= minPasswordLength) return
  const message = `the password of a keystore has at least ${minPasswordLength} characters, and this one has ${length}: make one with openssl rand -hex 32`
  throw new KeyError('KEYSTORE_WEAK_PASSWORD', message)
}

function checksum(key: Uint8Array, encrypted: Uint8Array): Buffer {
  return createHash('sha256').update(key.subarray(16, 32)).update(encrypted).digest()
}

function object(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(name, 'is no object')
  return value as Record<string, unknown>
}

function hex(value: unknown, name: string, length?: number): string {
  if (typeof value !== 'string' || !/^(?:[0-9a-fA-F]{2})*$/.test(value)) throw malformed(name, 'is no hex')
  if (length !== undefined && value.length !== length * 2) throw malformed(name, `has not ${length} bytes`)
  return value
}

function integer(value: unknown, name: string, { min, max }: { min: number; max: number }): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max)
    throw malformed(name, `is no whole number from ${min} to ${max}`)
  return value
}

function malformed(name: string, problem: string): KeyError {
  return new KeyError('KEYSTORE_MALFORMED', `the keystore's ${name} ${problem}`, { field: name })
}
