import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { Command } from 'commander'
import { FileSigningRecord } from '../../io/keys/file-signing-record.js'
import { writePrivateFile } from '../../io/keys/private-file.js'
import {
  encodeInterchange,
  importRecord,
  maxInterchangeLength,
  parseInterchange,
} from '../../io/keys/signing-interchange.js'
import { emptyRecord, type SigningRecord } from '../../io/keys/signing-record.js'
import { AppError } from '../app-error.js'
import { nodeFiles } from '../node-files.js'

interface Place {
  readonly dataDir?: string
  readonly record?: string
}

/** `morphism keys export-record`: what a key has signed, to take along to another machine. */
export function exportRecordCommand(): Command {
  return withPlace(new Command('export-record'))
    .description('Write the signing record as an interchange file (JSON). The node must be stopped, and stay so.')
    .option('--out <file>', 'file to write (default: standard output)')
    .action(async ({ out, ...place }: Place & { out?: string }) => {
      const store = await FileSigningRecord.openExisting(recordPath(place))
      try {
        const text = encodeInterchange({ owner: store.owner, record: store.load() })
        if (!out) return void process.stdout.write(text)
        await writePrivateFile({ path: path.resolve(out), content: text })
        console.error(`${out}: ${summary(store.load())}`)
      } finally {
        await store.close()
      }
    })
}

/** `morphism keys import-record`: raises the record to what an interchange file says; makes it where there is none. */
export function importRecordCommand(): Command {
  return withPlace(new Command('import-record'))
    .description(
      'Raise the signing record to an interchange file: before a key moves to this machine. Never lowers it.',
    )
    .argument('<file>', 'interchange file')
    .action(async (file: string, place: Place) => {
      const found = parseInterchange(await readInterchange(file))
      const at = recordPath(place)
      const only = found.length === 1 ? found[0] : undefined
      if (!existsSync(at) && !only)
        throw new AppError(
          'SEVERAL_KEYS',
          `${file} holds ${found.length} keys: start the node once, so that its key is known`,
        )
      const store =
        only && !existsSync(at)
          ? await FileSigningRecord.open({ path: at, owner: only.owner })
          : await FileSigningRecord.openExisting(at)
      try {
        const raised = importRecord({ owner: store.owner, record: store.load() }, found)
        await store.save(raised)
        console.log(`${at}: ${summary(raised)}`)
      } finally {
        await store.close()
      }
    })
}

function withPlace(command: Command): Command {
  return command
    .option('--data-dir <dir>', 'data directory of the node')
    .option('--record <file>', 'signing record of a signer process')
}

function recordPath({ dataDir, record }: Place): string {
  if ((dataDir === undefined) === (record === undefined))
    throw new AppError('NO_RECORD', 'Say where the signing record is: give either --data-dir or --record.')
  return path.resolve(record ?? path.join(dataDir!, nodeFiles.signingRecord))
}

async function readInterchange(file: string): Promise<string> {
  if ((await stat(file)).size > maxInterchangeLength)
    throw new AppError('NOT_AN_INTERCHANGE_FILE', `${file} is too large for an interchange file`)
  return readFile(file, 'utf8')
}

function summary({ proposal, prevote, precommit, attestation, stop }: SigningRecord): string {
  const place = ({ height, round }: typeof proposal) =>
    height === emptyRecord.proposal.height ? 'none' : `height ${height} round ${round}`
  const signed = `last proposal ${place(proposal)}, prevote ${place(prevote)}, precommit ${place(precommit)}, batch ${attestation.batchIndex || 'none'}`
  return stop ? `${signed}; still stopped (${stop.reason} at ${stop.at})` : signed
}
