import { existsSync } from 'node:fs'
import path from 'node:path'
import { Command, Option } from 'commander'
import { loadKeyFile } from '../../io/keys/key-file.js'
import { parseSignerAddress } from '../../io/keys/signer-address.js'
import { loadSignerToken } from '../../io/keys/signer-token.js'
import { AppError } from '../app-error.js'
import { endOnSignal } from '../end-on-signal.js'
import { readNetworkFile } from '../node/network-file.js'
import type { NodeConfig, SignerConfig } from '../node/node-config.js'
import { nodeFiles } from '../node-files.js'
import { whole } from './devnet-command.js'
import { openSecretKey } from './keys-command.js'
import { defaultL1Rpc, ether, l1Endpoints } from './l1-endpoints.js'
import { resumeSigningOption } from './resume-signing-option.js'
import { version } from './version.js'

interface NodeFlags {
  readonly network: string
  readonly role: 'sequencer' | 'full'
  readonly dataDir: string
  readonly l1Rpc?: string[]
  readonly l1Quorum?: number
  readonly l1FeeCap?: bigint
  readonly rpcHost: string
  readonly rpcPort: number
  readonly rpcCors?: string[]
  readonly rpcVhosts?: string[]
  readonly metricsPort: number
  readonly p2pHost: string
  readonly p2pPort: number
  readonly peer: string[]
  readonly nodeKey?: string
  readonly keystore?: string
  readonly passwordFile?: string
  readonly remoteSigner?: string
  readonly signerTokenFile?: string
  readonly resumeSigning?: string
  readonly newSigningRecord?: boolean
  readonly submitterKey?: string
  readonly logLevel: NodeConfig['logLevel']
  readonly traceApplication?: boolean
}

/** `morphism node`: one node in the foreground. */
export function nodeCommand(): Command {
  const collect = (value: string, list: string[] = []) => [...list, ...value.split(',').filter(Boolean)]
  const lowerCase = (value: string, list?: string[]) => collect(value.toLowerCase(), list)
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
    .option('--l1-fee-cap <ether>', 'most that one transaction to L1 may cost (default: 1)', ether)
    .option('--rpc-host <host>', 'address that JSON-RPC binds to', '127.0.0.1')
    .option('--rpc-port <port>', 'port of JSON-RPC (HTTP and WebSocket)', whole(0, 65_535), 9545)
    .option(
      '--rpc-cors <origin>',
      'browser origins that may call JSON-RPC, * for all (repeat, or separate by commas)',
      lowerCase,
    )
    .option(
      '--rpc-vhosts <name>',
      'host names by which JSON-RPC may be called besides IP addresses, * for any (default: localhost)',
      lowerCase,
    )
    .option('--metrics-port <port>', 'port of /metrics and /health on 127.0.0.1', whole(0, 65_535), 9100)
    .option('--p2p-host <host>', 'address that libp2p binds to', '127.0.0.1')
    .option('--p2p-port <port>', 'port of libp2p', whole(0, 65_535), 9200)
    .option('--peer <multiaddr>', 'peer to stay connected to (repeat, or separate by commas)', collect, [] as string[])
    .option('--node-key <file>', 'Ed25519 seed of the peer id (made when missing)')
    .option('--keystore <file>', 'EIP-2335 keystore of the consensus key (sequencers)')
    .option('--password-file <file>', 'file that holds the password of the keystore')
    .option('--remote-signer <address>', 'signer process in place of a keystore: unix:/path or tcp://127.0.0.1:port')
    .option('--signer-token-file <file>', 'file that holds the token shared with the signer process')
    .addOption(resumeSigningOption())
    .option(
      '--new-signing-record',
      'begin a signing record where it is missing: only when the old one is lost for good',
    )
    .option('--submitter-key <file>', 'private key of the L1 account that posts batches (sequencers)')
    .addOption(
      new Option('--log-level <level>', 'least level that is logged')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('info'),
    )
    .option(
      '--trace-application',
      'append each call of consensus to the chain to application-trace in the data directory',
    )
    .action(async (flags: NodeFlags) => {
      const [config, { startNode }] = await Promise.all([nodeConfig(flags), import('../node/start-node.js')])
      const node = await startNode(config)
      endOnSignal(() => node.stop())
      await node.failed
      process.exit(1)
    })
}

async function nodeConfig(flags: NodeFlags): Promise<NodeConfig> {
  const dataDir = path.resolve(flags.dataDir)
  const { network, role } = flags
  const sequencer: NodeConfig['sequencer'] =
    role === 'sequencer'
      ? {
          signer: await signerConfig(flags),
          submitterKey: flags.submitterKey ? await loadKeyFile(flags.submitterKey) : null,
        }
      : null
  return {
    version,
    network: await readNetworkFile(network),
    role,
    dataDir,
    l1: l1Endpoints(flags),
    rpc: {
      host: flags.rpcHost,
      port: flags.rpcPort,
      ...(flags.rpcCors && { corsOrigins: flags.rpcCors }),
      ...(flags.rpcVhosts && { virtualHosts: flags.rpcVhosts }),
    },
    metricsPort: flags.metricsPort,
    p2p: { host: flags.p2pHost, port: flags.p2pPort, peers: flags.peer },
    nodeKeyFile: flags.nodeKey ? path.resolve(flags.nodeKey) : path.join(dataDir, nodeFiles.nodeKey),
    sequencer,
    logLevel: flags.logLevel,
    tracesApplication: flags.traceApplication ?? false,
  }
}

/** The consensus key itself, or the way to the process that has it. */
async function signerConfig(flags: NodeFlags): Promise<SignerConfig> {
  const { keystore, passwordFile, remoteSigner, signerTokenFile, resumeSigning, newSigningRecord } = flags
  if (remoteSigner !== undefined) {
    if (keystore !== undefined)
      throw new AppError('TWO_SIGNERS', 'The consensus key is in one place: give --keystore or --remote-signer.')
    if (resumeSigning)
      throw new AppError('RESUME_AT_SIGNER', 'The signer process keeps the record: give --resume-signing to it.')
    if (newSigningRecord)
      throw new AppError('RECORD_AT_SIGNER', 'The signer process keeps the record: give --new-record to it.')
    refuseSecondRecord(flags.dataDir)
    if (signerTokenFile === undefined)
      throw new AppError('NO_SIGNER_TOKEN', 'A remote signer needs the shared token: give --signer-token-file.')
    return { kind: 'remote', address: parseSignerAddress(remoteSigner), token: await loadSignerToken(signerTokenFile) }
  }
  if (!keystore || !passwordFile) {
    throw new AppError(
      'NO_KEYSTORE',
      'A sequencer needs its consensus key: give --keystore and --password-file, or --remote-signer.',
    )
  }
  return {
    kind: 'local',
    secretKey: await openSecretKey({ file: keystore, passwordFile }),
    resumes: resumeSigning ?? null,
    beginsRecord: newSigningRecord ?? false,
  }
}

/** A record that stays behind grows old, and a node started with the keystore again would believe it. @throws AppError RECORD_NOT_MOVED */
function refuseSecondRecord(dataDir: string): void {
  const record = path.join(path.resolve(dataDir), nodeFiles.signingRecord)
  if (!existsSync(record)) return
  const message = `What the key has signed is in ${record}, and the signer process keeps the record: export it (morphism keys export-record --data-dir), import it at the signer (morphism keys import-record --record), then remove it here.`
  throw new AppError('RECORD_NOT_MOVED', message, { record })
}
