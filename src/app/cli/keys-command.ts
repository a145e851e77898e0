import { randomBytes } from 'node:crypto'
import { Command } from 'commander'
import { BlsSecretKey } from '../../base/crypto/bls.js'
import { bytesToHex } from '../../base/primitives/bytes.js'
import { encryptKeystore, loadKeystore, openKeystore, saveKeystore } from '../../io/keys/eip2335-keystore.js'
import { KeyError } from '../../io/keys/key-error.js'
import { loadKeyFile } from '../../io/keys/key-file.js'
import { readSecretFile } from '../../io/keys/private-file.js'
import { AppError } from '../app-error.js'
import { exportRecordCommand, importRecordCommand } from './record-commands.js'

/** `morphism keys`: makes and inspects consensus keys in EIP-2335 keystores, and moves their signing records. */
export function keysCommand(): Command {
  const keys = new Command('keys').description(
    'Make and inspect consensus keys (BLS12-381) in EIP-2335 keystores; move their signing records.',
  )
  keys
    .command('new')
    .description('Make a new consensus key and save it encrypted (mode 0600).')
    .requiredOption('--out <file>', 'keystore file to write')
    .requiredOption('--password-file <file>', 'file that holds the password')
    .action(async ({ out, passwordFile }: { out: string; passwordFile: string }) => {
      await saveNew({ out, passwordFile, key: BlsSecretKey.fromSeed(randomBytes(32)) })
    })
  keys
    .command('import')
    .description('Encrypt an existing secret key (32 bytes in hex in a file).')
    .requiredOption('--secret-file <file>', 'file that holds the secret key')
    .requiredOption('--out <file>', 'keystore file to write')
    .requiredOption('--password-file <file>', 'file that holds the password')
    .action(async ({ secretFile, out, passwordFile }: { secretFile: string; out: string; passwordFile: string }) => {
      await saveNew({ out, passwordFile, key: await loadSecretKey(secretFile) })
    })
  keys
    .command('show')
    .description('Print the public key of a keystore; with a password, check that it opens.')
    .argument('<keystore>', 'keystore file')
    .option('--password-file <file>', 'file that holds the password')
    .action(async (file: string, { passwordFile }: { passwordFile?: string }) => {
      const keystore = await loadKeystore(file)
      if (!passwordFile) {
        if (keystore.pubkey) return console.log(`0x${keystore.pubkey.replace(/^0x/, '')}`)
        throw new AppError('NO_PUBLIC_KEY', `${file} does not name its public key: give --password-file to open it`, {
          file,
        })
      }
      console.log(bytesToHex((await openSecretKey({ file, passwordFile })).publicKey()))
    })
  keys.addCommand(exportRecordCommand())
  keys.addCommand(importRecordCommand())
  return keys
}

/** The consensus key in a keystore, opened with the password in a file. @throws KeyError AppError */
export async function openSecretKey({
  file,
  passwordFile,
}: {
  file: string
  passwordFile: string
}): Promise<BlsSecretKey> {
  return secretKeyIn(file, await openKeystore(file, await readPassword(passwordFile)))
}

async function loadSecretKey(file: string): Promise<BlsSecretKey> {
  return secretKeyIn(file, await loadKeyFile(file))
}

function secretKeyIn(file: string, bytes: Uint8Array): BlsSecretKey {
  try {
    return BlsSecretKey.fromBytes(bytes)
  } catch (cause) {
    throw new AppError('NO_SECRET_KEY', `${file} does not hold a secret key of BLS12-381`, { file }, { cause })
  }
}

async function saveNew({
  out,
  passwordFile,
  key,
}: {
  out: string
  passwordFile: string
  key: BlsSecretKey
}): Promise<void> {
  const publicKey = key.publicKey()
  await saveKeystore(
    out,
    await encryptKeystore({ secret: key.toBytes(), password: await readPassword(passwordFile), publicKey }),
  )
  console.log(`${bytesToHex(publicKey)}  ${out}`)
}

async function readPassword(file: string): Promise<string> {
  try {
    return (await readSecretFile(file)).replace(/\r?\n$/, '')
  } catch (cause) {
    if (cause instanceof KeyError && cause.code === 'SECRET_FILE_EXPOSED') throw cause
    throw new AppError('PASSWORD_FILE', `the password file ${file} cannot be read`, { file }, { cause })
  }
}
