import { Command } from 'commander'
import { AppError } from '../app-error.js'
import type { ForensicFile } from '../forensics/forensic-file.js'
import type { UnreadFile } from '../forensics/run-forensics.js'
import { readNetworkFile } from '../node/network-file.js'
import { whole } from './devnet-command.js'

interface ForensicsFlags {
  readonly network: string
  readonly set: string[]
  readonly rpcUrl?: string
  readonly complete?: boolean
  readonly height?: number
  readonly json?: boolean
}

/** `morphism forensics`: names who broke the protocol, from logs and evidence alone. */
export function forensicsCommand(): Command {
  const collect = (value: string, list: string[]) => [...list, value]
  return new Command('forensics')
    .description(
      'Name who broke the protocol, from consensus logs, evidence and certificates. Reads files only; exits with 2 when culprits are proven, 3 when agreement broke, or a part of what was given could not be judged or was not signed as it says, and nobody is proven guilty.',
    )
    .argument(
      '<files...>',
      'data directories of nodes, or consensus-wal out of them (with consensus-wal.1 beside it), evidence (raw or hex), JSON of morphism_evidence or morphism_getCertificate',
    )
    .requiredOption('--network <file>', 'network file that all nodes share')
    .option(
      '--set <file>',
      'sequencer set: an answer of morphism_sequencerSet in a file (repeat for several sets)',
      collect,
      [],
    )
    .option('--rpc-url <url>', 'node to ask for the sequencer sets instead')
    .option(
      '--complete',
      'no honest sequencer’s log is missing: at heights that each log covers, who shows no reason is a culprit',
    )
    .option('--height <number>', 'examine this height alone', whole(1, Number.MAX_SAFE_INTEGER))
    .option('--json', 'print JSON, with every message of the proofs')
    .action(async (files: string[], flags: ForensicsFlags) => {
      const { forensicsExitCode, forensicsJson, forensicsText } = await import('../forensics/forensics-report.js')
      const findings = await run(files, flags)
      console.log(flags.json ? JSON.stringify(forensicsJson(findings), null, 2) : forensicsText(findings))
      process.exitCode = forensicsExitCode(findings)
    })
}

async function run(names: readonly string[], flags: ForensicsFlags) {
  const [{ readForensicFile }, { runForensics }, { setsFromFiles, setsFromNode }, { logBefore }] = await Promise.all([
    import('../forensics/forensic-file.js'),
    import('../forensics/run-forensics.js'),
    import('../forensics/set-source.js'),
    import('../../io/storage/file-log.js'),
  ])
  if (flags.set.length === 0 && !flags.rpcUrl) {
    throw new AppError(
      'FORENSICS_SET',
      'Signatures need keys: give --set with an answer of morphism_sequencerSet, or --rpc-url.',
    )
  }
  const { l1 } = await readNetworkFile(flags.network)
  const sets = flags.set.length > 0 ? await setsFromFiles(flags.set) : setsFromNode(flags.rpcUrl!)
  const files: ForensicFile[] = []
  const unread: UnreadFile[] = []
  // A log is read with the one before it.
  const isReadWith = (name: string) => names.some(other => logBefore(other) === name)
  for (const name of names.filter(name => !isReadWith(name))) {
    try {
      files.push(await readForensicFile(name))
    } catch (error) {
      if (!(error instanceof AppError) || names.length === 1) throw error
      unread.push({ file: name, why: error.message })
    }
  }
  return runForensics({
    files,
    unread,
    sets,
    domain: { l1ChainId: l1.chainId, rollup: l1.contracts.rollup },
    isComplete: flags.complete === true,
    only: flags.height ?? null,
  })
}
