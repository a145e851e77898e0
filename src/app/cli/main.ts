import { Command } from 'commander'
import { MorphismError } from '../../base/primitives/morphism-error.js'
import { benchCommand } from './bench-command.js'
import { devnetCommand } from './devnet-command.js'
import { explainCommand } from './explain-command.js'
import { forensicsCommand } from './forensics-command.js'
import { keysCommand } from './keys-command.js'
import { livenessCommand } from './liveness-command.js'
import { nodeCommand } from './node-command.js'
import { recoveryCommand } from './recovery-command.js'
import { restartCommand } from './restart-command.js'
import { signerCommand } from './signer-command.js'
import { statusCommand } from './status-command.js'
import { version } from './version.js'

/** Runs the command line of this process, with commands that live outside the product (those of test/). */
export async function main(more: readonly Command[] = []): Promise<void> {
  const program = new Command('morphism')
    .description('A decentralized sequencer network for an Ethereum rollup.')
    .version(version)
    .showHelpAfterError()
    .addCommand(devnetCommand())
    .addCommand(nodeCommand())
    .addCommand(keysCommand())
    .addCommand(signerCommand())
    .addCommand(statusCommand())
    .addCommand(restartCommand())
    .addCommand(forensicsCommand())
    .addCommand(explainCommand())
    .addCommand(benchCommand())
    .addCommand(recoveryCommand())
    .addCommand(livenessCommand())
  for (const command of more) program.addCommand(command)
  try {
    await program.parseAsync()
  } catch (error) {
    // What a person can mend is one sentence; anything else is a bug and shows its stack.
    const isMendable = error instanceof MorphismError || isSystemError(error)
    console.error(isMendable ? `morphism: ${error.message.replaceAll(/\s*\n\s*/g, ' ')}` : error)
    process.exit(1)
  }
}

/** What the operating system refused: a port in use, a directory that is none, a full disk. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'code' in error
}
