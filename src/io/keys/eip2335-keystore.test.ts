import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BlsSecretKey } from '../../base/crypto/bls.js'
import {
  decryptKeystore,
  encryptKeystore,
  loadKeystore,
  openKeystore,
  parseKeystore,
  saveKeystore,
} from './eip2335-keystore.js'
import { KeyError } from './key-error.js'
import { loadKeyFile, saveKeyFile } from './key-file.js'
import { loadSignerToken } from './signer-token.js'

// Test cases of EIP-2335.
const password = '𝔱𝔢𝔰𝔱𝔭𝔞𝔰𝔰𝔴𝔬𝔯𝔡🔑'
const secret = '000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f'
const salt = 'd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3'
const iv = '264daa3f303d7259501c93d997d84fe6'
const pubkey = '9612d7a727c9d0a22e185a1c768478dfe919cada9266988cb32359c11f2b7b27f4ae4040902382ae2910c15e2b420d07'
const scryptCase = {
  crypto: {
    kdf: { function: 'scrypt', params: { dklen: 32, n: 262144, p: 1, r: 8, salt }, message: '' },
    checksum: {
      function: 'sha256',
      params: {},
      message: 'd2217fe5f3e9a1e34581ef8a78f7c9928e436d36dacc5e846690a5581e8ea484',
    },
    cipher: {
      function: 'aes-128-ctr',
      params: { iv },
      message: '06ae90d55fe0a6e9c5c3bc5b170827b2e5cce3929ed3f116c2811e6366dfe20f',
    },
  },
  description: 'This is a test keystore that uses scrypt to secure the secret.',
  pubkey,
  path: 'm/12381/60/3141592653/589793238',
  uuid: '1d85ae20-35c5-4611-98e8-aa14a633906f',
  version: 4,
}
const pbkdf2Case = {
  ...scryptCase,
  crypto: {
    kdf: { function: 'pbkdf2', params: { dklen: 32, c: 262144, prf: 'hmac-sha256', salt }, message: '' },
    checksum: {
      function: 'sha256',
      params: {},
      message: '8a9f5d9912ed7e75ea794bc5a89bca5f193721d30868ade6f73043c6ea6febf1',
    },
    cipher: {
      function: 'aes-128-ctr',
      params: { iv },
      message: 'cee03fde2af33149775b7223e7845e4fb2c8ae1792e5f99fe9ecf474cc8c16ad',
    },
  },
}

/** The same JSON with another value at the path. */
function changed(json: object, [name, ...rest]: string[], value: unknown): object {
  const inner = (json as Record<string, object>)[name!]!
  return { ...json, [name!]: rest.length === 0 ? value : changed(inner, rest, value) }
}

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keys-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

describe('EIP-2335 keystore', () => {
  it.each([
    ['scrypt', scryptCase],
    ['pbkdf2', pbkdf2Case],
  ])('opens the test case of the EIP: %s', async (_, json) => {
    const keystore = parseKeystore(JSON.stringify(json))
    const opened = await decryptKeystore(keystore, password)
    expect(Buffer.from(opened).toString('hex')).toBe(secret)
    expect(Buffer.from(BlsSecretKey.fromBytes(opened).publicKey()).toString('hex')).toBe(keystore.pubkey)
    expect(Buffer.from(await decryptKeystore(keystore, '\u0000test\u007fpass\u0085word\n🔑')).toString('hex')).toBe(
      secret,
    )
  })

  it.each(['scrypt', 'pbkdf2'] as const)('opens what it encrypted: %s', async kdf => {
    const key = BlsSecretKey.fromSeed(new Uint8Array(32).fill(7))
    const publicKey = key.publicKey()
    const made = await encryptKeystore({ secret: key.toBytes(), password: 'password', publicKey, kdf, cost: 'light' })
    const path = join(directory, 'key.json')
    await saveKeystore(path, made)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readdir(directory)).toEqual(['key.json'])
    await expect(saveKeystore(join(directory, 'new', 'key.json'), made)).rejects.toMatchObject({
      code: 'DIRECTORY_MISSING',
    })
    expect(await readdir(directory)).toEqual(['key.json'])
    const loaded = await loadKeystore(path)
    expect(loaded).toEqual(made)
    expect(await decryptKeystore(loaded, 'password')).toEqual(key.toBytes())
    await expect(decryptKeystore(loaded, 'Password')).rejects.toMatchObject({ code: 'KEYSTORE_WRONG_PASSWORD' })
    await expect(saveKeystore(path, made)).rejects.toMatchObject({ code: 'KEYSTORE_UNWRITABLE' })
  })

  it.each([
    ['', 0],
    ['\n', 0],
    ['1234567', 7],
    ['\u00001234567\u007f', 7],
  ])('encrypts nothing under the password %j', async (weak, length) => {
    const made = encryptKeystore({ secret: new Uint8Array(32), password: weak, cost: 'light' })
    const message = expect.stringContaining(`at least 8 characters, and this one has ${length}:`)
    await expect(made).rejects.toMatchObject({ code: 'KEYSTORE_WEAK_PASSWORD', message })
  })

  it('says which file is malformed, or does not open', async () => {
    const path = join(directory, 'key.json')
    await writeFile(path, '{')
    const message = `${path}: the keystore is not JSON`
    await expect(loadKeystore(path)).rejects.toMatchObject({ code: 'KEYSTORE_MALFORMED', message })
    await expect(openKeystore(path, 'password')).rejects.toMatchObject({ message })
    const good = join(directory, 'good.json')
    const secret = new Uint8Array(32).fill(7)
    await saveKeystore(good, await encryptKeystore({ secret, password: 'password', cost: 'light' }))
    expect(await openKeystore(good, 'password')).toEqual(secret)
    await expect(openKeystore(good, 'Password')).rejects.toMatchObject({
      code: 'KEYSTORE_WRONG_PASSWORD',
      message: `${good}: the password does not open the keystore`,
    })
  })

  it('says which file cannot be read', async () => {
    const missing = join(directory, 'none.json')
    await expect(loadKeystore(missing)).rejects.toMatchObject({
      code: 'KEYSTORE_UNREADABLE',
      message: expect.stringContaining(missing),
    })
    await writeFile(missing, Buffer.alloc(100_000, 32))
    await expect(loadKeystore(missing)).rejects.toMatchObject({ code: 'KEYSTORE_UNREADABLE' })
    await expect(loadKeystore(directory)).rejects.toMatchObject({ code: 'KEYSTORE_UNREADABLE' })
  })

  it('says which field is malformed, and bounds the work that parameters ask for', () => {
    const cases: [string, unknown][] = [
      ['version', 3],
      ['crypto', []],
      ['crypto.kdf.function', 'argon2'],
      ['crypto.kdf.params.n', 2 ** 30],
      ['crypto.kdf.params.n', 1000],
      ['crypto.kdf.params.p', 1e9],
      ['crypto.kdf.params.salt', 'xyz'],
      ['crypto.cipher.params.iv', '00'],
      ['crypto.cipher.message', undefined],
      ['crypto.checksum.function', 'md5'],
    ]
    for (const [field, value] of cases)
      expect(() => parseKeystore(JSON.stringify(changed(scryptCase, field.split('.'), value))), field).toThrow(
        expect.objectContaining({ code: 'KEYSTORE_MALFORMED', data: { field } }),
      )
    expect(() => parseKeystore('{')).toThrow(expect.objectContaining({ code: 'KEYSTORE_MALFORMED' }))
  })

  it('throws nothing but KEYSTORE_MALFORMED on any JSON', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), text => {
        try {
          parseKeystore(text)
        } catch (error) {
          expect(error).toBeInstanceOf(KeyError)
        }
      }),
    )
  })
})

describe('key file', () => {
  it('loads what it saved, in a file that only its owner reads, and never replaces one', async () => {
    const path = join(directory, 'node.key')
    const key = Uint8Array.from({ length: 32 }, (_, i) => i)
    await saveKeyFile(path, key)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await loadKeyFile(path)).toEqual(key)
    await expect(saveKeyFile(path, key)).rejects.toMatchObject({ code: 'KEYSTORE_UNWRITABLE' })
  })

  it('says why a file is none', async () => {
    const path = join(directory, 'node.key')
    await expect(loadKeyFile(path)).rejects.toMatchObject({ code: 'KEYSTORE_UNREADABLE' })
    await writeFile(path, '0x1234', { mode: 0o600 })
    await expect(loadKeyFile(path)).rejects.toMatchObject({ code: 'KEYSTORE_MALFORMED' })
  })

  it.each(['640', '604', '620'])('is refused with mode %s, open to others, and so is a token', async mode => {
    const path = join(directory, 'secret')
    await writeFile(path, `${'12'.repeat(32)}\n`, { mode: 0o600 })
    await chmod(path, mode)
    const exposed = { code: 'SECRET_FILE_EXPOSED', message: expect.stringContaining(`chmod 600 ${path}`) }
    await expect(loadKeyFile(path)).rejects.toMatchObject(exposed)
    await expect(loadSignerToken(path)).rejects.toMatchObject(exposed)
    await chmod(path, '400')
    expect(await loadKeyFile(path)).toHaveLength(32)
  })
})
