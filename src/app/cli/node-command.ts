import path from 'node:path'
import { Command, Option } from 'commander'
import { loadKeyFile } from '../../io/keys/key-file.js'
import { AppError } from '../app-error.js'
import { readNetworkFile } from '../node/network-file.js'
import type { NodeConfig } from '../node/start-node.js'
import { whole } from './devnet-command.js'
import { openKeystore } from './keys-command.js'
import { defaultL1Rpc, l1Endpoints } from './l1-endpoints.js'
import { version } from './version.js'

interface NodeFlags {
  readonly network: string
  readonly role: 'sequencer' | 'full'
  readonly dataDir: string
  readonly l1Rpc?: string[]
  readonly l1Quorum?: number
  readonly rpcHost: string
  readonly rpcPort: number
  readonly metricsPort: number
  readonly p2pHost: string
  readonly p2pPort: number
  readonly peer: string[]
  readonly nodeKey?: string
  readonly keystore?: string
  readonly passwordFile?: string
  readonly submitterKey?: string
  readonly logLevel: NodeConfig['logLevel']
}

/** `morphism node`: one node in the foreground. */
export function nodeCommand(): Command {
  const collect = (value: string, list: string[] = []) => [...list, ...value.split(',').filter(Boolean)]
  return new Command('node')
    .description('Run one node of a network.')
    .requiredOption('--network <file>', 'network file that all nodes share')
    .addOption(new Option('--role <role>', 'what the node does').choices(['sequencer', 'full']).default('full'))
    .requiredOption('--data-dir <dir>', 'where the node keeps its chain, logs and signing record')
    .option(
      '--l1-rpc <url>',
      `JSON-RPC address of L1; several (repeat, or separate by commas) are read by quorum (default: ${defaultL1Rpc})`,
      collect,
    )
    .option('--l1-quorum <n>', 'L1 endpoints that must agree (default: more than half)', whole(1, 64))
    .option('--rpc-host <host>', 'address that JSON-RPC binds to', '127.0.0.1')
    .option('--rpc-port <port>', 'port of JSON-RPC (HTTP and WebSocket)', whole(0, 65_535), 9545)
    .option('--metrics-port <port>', 'port of /metrics and /health on 127.0.0.1', whole(0, 65_535), 9100)
    .option('--p2p-host <host>', 'address that libp2p binds to', '127.0.0.1')
    .option('--p2p-port <port>', 'port of libp2p', whole(0, 65_535), 9200)
    .option('--peer <multiaddr>', 'peer to stay connected to (repeat, or separate by commas)', collect, [] as string[])
    .option('--node-key <file>', 'Ed25519 seed of the peer id (made when missing)')
    .option('--keystore <file>', 'EIP-2335 keystore of the consensus key (sequencers)')
    .option('--password-file <file>', 'file that holds the password of the keystore')
    .option('--submitter-key <file>', 'private key of the L1 account that posts batches (sequencers)')
    .addOption(
      new Option('--log-level <level>', 'least level that is logged')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('info'),
    )
    .action(async (flags: NodeFlags) => {
      const config = await nodeConfig(flags)
      const { startNode } = await import('../node/start-node.js')
      const node = await startNode(config)
      let stopping = false
      const stop = () => {
        if (stopping) return
        stopping = true
        node.stop().then(
          () => process.exit(0),
          () => process.exit(1),
        )
      }
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop)
      // A node that a devnet started has a channel to it, and stops when the devnet is gone.
      if (process.channel) process.on('disconnect', stop)
      await node.failed
      process.exit(1)
    })
}

async function nodeConfig(flags: NodeFlags): Promise<NodeConfig> {
  const dataDir = path.resolve(flags.dataDir)
  const { network, role } = flags
  let sequencer: NodeConfig['sequencer'] = null
  if (role === 'sequencer') {
    if (!flags.keystore || !flags.passwordFile) {
      throw new AppError('NO_KEYSTORE', 'A sequencer needs its consensus key: give --keystore and --password-file.')
    }
    sequencer = {
      secretKey: await openKeystore({ file: flags.keystore, passwordFile: flags.passwordFile }),
      submitterKey: flags.submitterKey ? await loadKeyFile(flags.submitterKey) : null,
    }
  }
  return {
    version,
    network: await readNetworkFile(network),
    role,
    dataDir,
    l1: l1Endpoints(flags),
    rpc: { host: flags.rpcHost, port: flags.rpcPort },
    metricsPort: flags.metricsPort,
    p2p: { host: flags.p2pHost, port: flags.p2pPort, peers: flags.peer },
    nodeKeyFile: flags.nodeKey ? path.resolve(flags.nodeKey) : path.join(dataDir, 'node-key'),
    sequencer,
    logLevel: flags.logLevel,
  }
}
