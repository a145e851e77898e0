import path from 'node:path'
import { Command, InvalidArgumentError } from 'commander'

interface DevnetFlags {
  readonly sequencers: number
  readonly fullNodes: number
  readonly l1Port: number
  readonly rpcPort: number
  readonly dataDir: string
  readonly fresh?: boolean
  readonly quiet?: boolean
  readonly traceApplication?: boolean
  readonly parameter: Readonly<Record<string, number | string>>
}

/** `morphism devnet`: a whole network on this machine. */
export function devnetCommand(): Command {
  return new Command('devnet')
    .description('Run a whole network on this machine: L1 (anvil) with the contracts, sequencers and full nodes.')
    .option('--sequencers <n>', 'number of sequencers', whole(1, 64), 4)
    .option('--full-nodes <n>', 'number of full nodes', whole(0, 32), 1)
    .option('--l1-port <port>', 'port of L1', whole(1, 65_535), 8545)
    .option(
      '--rpc-port <port>',
      'port of the first full node; sequencers and further full nodes follow',
      whole(1, 65_535),
      9545,
    )
    .option('--data-dir <dir>', 'where chains, keys and logs are kept', path.join('.morphism', 'devnet'))
    .option('--fresh', 'forget an earlier devnet in that directory')
    .option('--quiet', 'print only when the network is ready, and errors')
    .option(
      '--trace-application',
      'sequencers append each call of consensus to the chain to a file in their directories',
    )
    .option(
      '--parameter <name=value>',
      'parameter of the protocol that is to be another than a devnet has, as in network.json (repeat)',
      namedValue,
      {},
    )
    .action(async (flags: DevnetFlags) => {
      // Loaded when it is asked for: it takes ten times as long as the rest of the command line.
      const { runDevnet } = await import('../devnet/run-devnet.js')
      const { parseParameterValues } = await import('../node/network-file.js')
      await runDevnet({
        sequencers: flags.sequencers,
        fullNodes: flags.fullNodes,
        l1Port: flags.l1Port,
        rpcPort: flags.rpcPort,
        dataDir: path.resolve(flags.dataDir),
        fresh: flags.fresh ?? false,
        quiet: flags.quiet ?? false,
        tracesApplication: flags.traceApplication ?? false,
        changedParameters: parseParameterValues(flags.parameter, '--parameter '),
      })
    })
}

/** Adds `name=value` to those given before. */
function namedValue(text: string, given: DevnetFlags['parameter']): DevnetFlags['parameter'] {
  const [name, value, ...rest] = text.split('=')
  if (!name || !value || rest.length > 0) throw new InvalidArgumentError('must be name=value.')
  return { ...given, [name]: /^\d+$/.test(value) ? Number(value) : value }
}

/** Parses a whole number within bounds. */
export function whole(min: number, max: number): (text: string) => number {
  return text => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < min || value > max)
      throw new InvalidArgumentError(`must be a whole number from ${min} to ${max}.`)
    return value
  }
}
