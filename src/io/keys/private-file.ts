import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { link, open, readFile, rm, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { syncDirectory } from '../storage/sync-directory.js'
import { KeyError } from './key-error.js'

/** Most bytes read from a key file: a keystore has about a thousand. */
const maxFileLength = 64 << 10
/** Bits of a file's mode that let group and others in. */
const othersMask = 0o077

/**
 * Writes a file that only its owner reads (0600): whole or not at all, durable when it resolves. Never replaces a
 * file: a key overwritten is a key lost. @throws KeyError DIRECTORY_MISSING, KEYSTORE_UNWRITABLE
 */
export async function writePrivateFile({
  path,
  content,
}: {
  path: string
  content: string | Uint8Array
}): Promise<void> {
  requireDirectoryOf(path)
  const temporary = `${path}.${randomBytes(6).toString('hex')}`
  try {
    await writeDurably(temporary, content)
    await link(temporary, path)
    await syncDirectory(dirname(path))
  } catch (error) {
    throw new KeyError(
      'KEYSTORE_UNWRITABLE',
      `${path} cannot be written: ${(error as Error).message}`,
      { path },
      {
        cause: error,
      },
    )
  } finally {
    await rm(temporary, { force: true })
  }
}

/** A mistyped path is an error, and no new directory. @throws KeyError DIRECTORY_MISSING */
export function requireDirectoryOf(path: string): void {
  const directory = dirname(path)
  if (existsSync(directory)) return
  const message = `there is no directory ${directory} for ${basename(path)}: make it, if the path is right (mkdir -m 700 ${directory})`
  throw new KeyError('DIRECTORY_MISSING', message, { path })
}

/** The text of a file that holds a secret as it is: a key, a password, a token. @throws KeyError KEYSTORE_UNREADABLE, SECRET_FILE_EXPOSED */
export async function readSecretFile(path: string): Promise<string> {
  const text = await readKeyFile(path)
  const { mode } = await stat(path)
  if ((mode & othersMask) === 0) return text
  const message = `${path} holds a secret and is open to others than its owner: run chmod 600 ${path}`
  throw new KeyError('SECRET_FILE_EXPOSED', message, { path })
}

/** The text of a file about keys, such as a keystore. @throws KeyError KEYSTORE_UNREADABLE */
export async function readKeyFile(path: string): Promise<string> {
  try {
    const { size } = await stat(path)
    if (size <= maxFileLength) return await readFile(path, 'utf8')
  } catch (error) {
    throw new KeyError(
      'KEYSTORE_UNREADABLE',
      `${path} cannot be read: ${(error as Error).message}`,
      { path },
      {
        cause: error,
      },
    )
  }
  throw new KeyError('KEYSTORE_UNREADABLE', `${path} is no key file: it is larger than ${maxFileLength} bytes`, {
    path,
  })
}

async function writeDurably(path: string, content: string | Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}
