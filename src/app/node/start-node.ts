import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import type { BlsSecretKey } from '../../base/crypto/bls.js'
import { asciiToBytes, bytesToHex, concatBytes } from '../../base/primitives/bytes.js'
import type { BlockHash } from '../../base/primitives/hashes.js'
import { memberByKey } from '../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import { createWorkerCompression } from '../../io/compression/worker-compression.js'
import { createEmbeddedExecution } from '../../io/execution/embedded/embedded-execution.js'
import { FileSigningRecord } from '../../io/keys/file-signing-record.js'
import { GuardedSigner } from '../../io/keys/guarded-signer.js'
import { createWorkerSignatureVerifier } from '../../io/keys/worker-signature-verifier.js'
import { createWorkerKzg } from '../../io/kzg/worker-kzg.js'
import { createViemL1Reader } from '../../io/l1/viem-l1-reader.js'
import { createViemL1Submitter } from '../../io/l1/viem-l1-submitter.js'
import { Libp2pNetwork } from '../../io/network/libp2p-network.js'
import { createWorkerRecovery } from '../../io/recovery/worker-recovery.js'
import { FileLog } from '../../io/storage/file-log.js'
import { LevelStore } from '../../io/storage/level-store.js'
import type { Logger } from '../../io/telemetry/logger.js'
import { type LogLevel, PinoLogger } from '../../io/telemetry/pino-logger.js'
import { PrometheusMetrics } from '../../io/telemetry/prometheus-metrics.js'
import { TelemetryServer } from '../../io/telemetry/telemetry-server.js'
import type { Clock } from '../../io/time/clock.js'
import { systemClock } from '../../io/time/system-clock.js'
import { nextBaseFee } from '../../rules/blocks/base-fee.js'
import { createSetSchedule } from '../../rules/staking/set-schedule.js'
import { createBatcher } from '../../services/batcher/batcher.js'
import { Chain } from '../../services/chain/chain.js'
import { createL1Follower } from '../../services/l1-follower/l1-follower.js'
import { createMempool } from '../../services/mempool/create-mempool.js'
import { defaultMempoolConfig, type Mempool } from '../../services/mempool/mempool.js'
import { createRpcServer } from '../../services/rpc/rpc-server.js'
import { ChainApplication } from '../../services/sequencer/chain-application.js'
import { ConsensusEngine } from '../../services/sequencer/engine.js'
import { createSubmitter } from '../../services/submitter/submitter.js'
import { Syncer } from '../../services/syncer/syncer.js'
import { takeCommittedCertificates } from './committed-certificates.js'
import { keepLabels, knownMessages, submittableBatches } from './joints.js'
import { loadSet } from './l1-sets.js'
import { l2Genesis, l2GenesisBatch } from './l2-genesis.js'
import { failure, Lifecycle } from './lifecycle.js'
import type { NetworkFile } from './network-file.js'
import { loadOrCreateNodeIdentity } from './node-identity.js'
import { nodeQueries, syncProgress } from './node-queries.js'

/** What one node needs to run. */
export interface NodeConfig {
  readonly version: string
  readonly network: NetworkFile
  readonly role: 'sequencer' | 'full'
  readonly dataDir: string
  readonly l1RpcUrl: string
  readonly rpc: { readonly host: string; readonly port: number }
  readonly metricsPort: number
  readonly p2p: { readonly host: string; readonly port: number; readonly peers: readonly string[] }
  readonly nodeKeyFile: string
  /** Null on a full node. */
  readonly sequencer: { readonly secretKey: BlsSecretKey; readonly submitterKey: Uint8Array | null } | null
  readonly logLevel: LogLevel
}

export interface RunningNode {
  /** Stops every part in reverse order of its start. */
  stop(): Promise<void>
  /** Resolves when the node had to give up; it has stopped by then. */
  readonly failed: Promise<void>
}

/** How often L1 is looked at. */
const l1PollMs = 500
/** L1 time that each further member waits when a turn was missed: about two blocks of L1. */
const submitterStaggerSec = 2

/** Starts a node: every part of it is made and joined to the others in this file, and nowhere else. @throws MorphismError */
export async function startNode(config: NodeConfig): Promise<RunningNode> {
  const logger = PinoLogger.create({ level: config.logLevel })
  const lifecycle = new Lifecycle(logger)
  const stopping = new AbortController()
  const { failed, fail } = failure({ logger, lifecycle, stopping })
  const metrics = new PrometheusMetrics()
  const frame: Frame = { config, clock: systemClock, logger, metrics, lifecycle, fail, stopping: stopping.signal }
  try {
    await mkdir(config.dataDir, { recursive: true, mode: 0o700 })
    const ground = await openGround(frame)
    const parts = await openChain(frame, ground)
    const engine = await startConsensus(frame, ground, parts)
    startSubmitter(frame, ground, parts)
    await ground.network.start()
    await startServers(frame, ground, parts, engine)
    logger.info('node is running', { role: config.role, height: parts.chain.height(), peer: ground.network.localPeer })
  } catch (error) {
    stopping.abort()
    await lifecycle.stop()
    throw error
  }
  return {
    failed,
    stop() {
      stopping.abort()
      return lifecycle.stop()
    },
  }
}

/** What every part is made with. */
interface Frame {
  readonly config: NodeConfig
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: PrometheusMetrics
  readonly lifecycle: Lifecycle
  readonly fail: (error: unknown) => void
  readonly stopping: AbortSignal
}

/** What reaches outside: disk, execution, L1, keys, peers. */
type Ground = Awaited<ReturnType<typeof openGround>>

async function openGround(frame: Frame) {
  const { config, clock, logger, metrics, lifecycle } = frame
  const { network: file, dataDir } = config
  const store = await LevelStore.open({ path: path.join(dataDir, 'store'), lockWaitMs: 5_000 })
  lifecycle.own('store', () => store.close())
  const domain: SigningDomain = { l1ChainId: file.l1.chainId, rollup: file.l1.contracts.rollup }
  const genesis = l2Genesis(file)
  const genesisBatch = l2GenesisBatch(genesis)
  const execution = await createEmbeddedExecution({
    dataDir,
    genesis,
    logger: logger.child('execution'),
    onFailure: frame.fail,
  })
  lifecycle.own('execution', () => execution.close())
  const kzg = createWorkerKzg()
  lifecycle.own('kzg', () => kzg.close())
  const reader = createViemL1Reader({
    config: { rpcUrl: config.l1RpcUrl, contracts: file.l1.contracts },
    ports: { kzg },
  })
  const follower = createL1Follower({
    config: { parameters: file.parameters, startBlock: file.l1.startBlock, pollMs: l1PollMs },
    ports: { reader, store, clock, logger: logger.child('l1'), metrics },
  })
  lifecycle.own('l1-follower', () => follower[Symbol.asyncDispose]())
  const set = await loadSet({ setId: 1, reader, store, clock, logger, signal: frame.stopping })
  const sets = createSetSchedule({ genesisSet: set, minSequencers: file.parameters.minSequencers })
  const signer = await openSigner(frame, domain)
  if (signer && !memberByKey(set, signer.publicKey)) {
    logger.warn('the consensus key is not in the sequencer set', { setId: set.setId })
  }
  const network = await openNetwork(frame, { domain, genesisHash: genesisBatch.lastBlockHash, signer })
  return { store, domain, genesisBatch, execution, kzg, reader, follower, set, sets, signer, network }
}

async function openSigner({ config, lifecycle }: Frame, domain: SigningDomain): Promise<GuardedSigner | null> {
  if (!config.sequencer) return null
  const { secretKey } = config.sequencer
  const owner = concatBytes(secretKey.publicKey(), asciiToBytes(`${domain.l1ChainId}/${domain.rollup}`))
  const record = await FileSigningRecord.open({ path: path.join(config.dataDir, 'signing-record'), owner })
  const signer = new GuardedSigner({ secretKey, domain, record })
  lifecycle.own('signer', () => signer.close())
  return signer
}

async function openNetwork(
  { config, clock, logger, metrics, lifecycle }: Frame,
  { domain, genesisHash, signer }: { domain: SigningDomain; genesisHash: BlockHash; signer: GuardedSigner | null },
): Promise<Libp2pNetwork> {
  const { seed } = await loadOrCreateNodeIdentity(config.nodeKeyFile)
  const network = await Libp2pNetwork.create({
    config: {
      listen: { host: config.p2p.host, port: config.p2p.port },
      peers: config.p2p.peers,
      network: { l2ChainId: config.network.l2.chainId, genesisHash, domain },
      role: config.role,
    },
    nodeKey: seed,
    ...(signer ? { signer } : {}),
    logger: logger.child('network'),
    metrics,
    clock,
  })
  lifecycle.own('network', () => network.close())
  return network
}

/** The chain of this node and who lives on it. */
type ChainParts = Awaited<ReturnType<typeof openChain>>

async function openChain(frame: Frame, ground: Ground) {
  const { config, clock, logger, metrics, lifecycle } = frame
  const { execution, store, domain, sets, follower, reader, network, kzg, signer, genesisBatch } = ground
  const { parameters } = config.network
  const mempool = await openMempool(frame, ground)
  const chain = await Chain.open({
    config: { parameters, domain },
    ports: {
      execution,
      store,
      sets,
      messages: range => knownMessages(follower, range),
      sendersOf: transactions => mempool.sendersOf(transactions),
    },
  })
  chain.onCommitted(({ change }) => mempool.onHead(change))
  const compression = createWorkerCompression()
  lifecycle.own('compression', () => compression.close())
  const batcher = await createBatcher({
    config: { parameters, domain, genesis: genesisBatch },
    ports: {
      store,
      execution,
      l1View: follower,
      sets,
      signer,
      network,
      compression,
      kzg,
      clock,
      logger: logger.child('batcher'),
      metrics,
    },
  })
  lifecycle.own('batcher', () => batcher[Symbol.asyncDispose]())
  const syncer = new Syncer(
    { domain, role: config.role },
    { chain, network, sets, clock, logger: logger.child('syncer'), metrics },
  )
  lifecycle.own('syncer', () => syncer.stop())
  keepLabels({ chain, batcher, follower, fail: frame.fail })
  takeCommittedCertificates({ batcher, follower, reader, logger: logger.child('batcher'), fail: frame.fail })
  return { mempool, chain, batcher, syncer }
}

async function openMempool(
  { config, clock, logger, metrics, lifecycle }: Frame,
  { execution, network, set }: Ground,
): Promise<Mempool> {
  const recovery = createWorkerRecovery()
  lifecycle.own('recovery', () => recovery.close())
  const journal = await FileLog.open({ path: path.join(config.dataDir, 'mempool-journal') })
  lifecycle.own('mempool-journal', () => journal.close())
  const { header } = await execution.head()
  const mempool = await createMempool({
    config: {
      ...defaultMempoolConfig,
      chainId: BigInt(config.network.l2.chainId),
      blockGasLimit: config.network.parameters.gasLimit,
      baseFeePerGas: nextBaseFee(header),
    },
    ports: {
      recovery,
      accounts: execution,
      network,
      journal,
      clock,
      logger: logger.child('mempool'),
      metrics,
      isSequencer: config.role === 'sequencer',
      isSequencerPeer: peer => peer.consensusKey !== null && memberByKey(set, peer.consensusKey) !== undefined,
      sequencerCount: () => set.members.length,
    },
  })
  lifecycle.own('mempool', () => mempool[Symbol.asyncDispose]())
  return mempool
}

/** The consensus engine, on a node with a consensus key. Its next height begins before the batcher hears of the last. */
async function startConsensus(
  frame: Frame,
  { execution, follower, sets, signer, network, domain }: Ground,
  { chain, mempool, batcher }: ChainParts,
): Promise<ConsensusEngine | null> {
  const { config, clock, logger, metrics, lifecycle } = frame
  const { parameters } = config.network
  let engine: ConsensusEngine | null = null
  chain.onCommitted(() => engine?.onHead())
  chain.onCommitted(({ block }) => batcher.onDecided(block))
  if (!signer) return null
  const wal = await FileLog.open({ path: path.join(config.dataDir, 'consensus-wal') })
  lifecycle.own('consensus-wal', () => wal.close())
  const verifier = createWorkerSignatureVerifier()
  lifecycle.own('verifier', () => verifier.close())
  const application = new ChainApplication(parameters, {
    chain,
    execution,
    mempool,
    l1: follower,
    attestations: batcher,
    sets,
    clock,
    metrics,
  })
  const started = await ConsensusEngine.start({
    config: { parameters, domain },
    ports: {
      application,
      work: application,
      head: () => chain.head(),
      sets,
      signer,
      verifier,
      network,
      wal,
      clock,
      logger: logger.child('consensus'),
      metrics,
      onFatal: frame.fail,
    },
  })
  engine = started
  lifecycle.own('consensus', () => started.stop())
  return started
}

/** Posts batches, on a node with a submitter's key. */
function startSubmitter(
  { config, clock, logger, metrics, lifecycle }: Frame,
  { follower, set }: Ground,
  { batcher }: ChainParts,
): void {
  const key = config.sequencer?.submitterKey
  if (!key) return
  const { l1, parameters } = config.network
  const submitter = createSubmitter({
    config: { parameters, staggerSec: submitterStaggerSec },
    ports: {
      batches: submittableBatches(batcher),
      l1: createViemL1Submitter({
        config: {
          rpcUrl: config.l1RpcUrl,
          chainId: l1.chainId,
          rollup: l1.contracts.rollup,
          privateKey: bytesToHex(key),
        },
        ports: { clock, logger: logger.child('l1') },
      }),
      follower,
      sets: { set: id => (id === set.setId ? set : undefined) },
      clock,
      logger: logger.child('submitter'),
      metrics,
    },
  })
  lifecycle.own('submitter', () => submitter[Symbol.asyncDispose]())
}

/** JSON-RPC for users, metrics and health for operators. */
async function startServers(
  { config, clock, logger, metrics, lifecycle }: Frame,
  { execution, sets, follower, network }: Ground,
  { chain, mempool, batcher, syncer }: ChainParts,
  engine: ConsensusEngine | null,
): Promise<void> {
  const { version, role } = config
  const status = () => engine?.status() ?? null
  const morphism = nodeQueries({
    version,
    role,
    chain,
    execution,
    sets,
    batcher,
    follower,
    syncer,
    network,
    engine: status,
  })
  const rpc = await createRpcServer({
    config: {
      ...config.rpc,
      chainId: config.network.l2.chainId,
      clientVersion: `morphism/v${version}/${process.platform}-${process.arch}/node${process.versions.node}`,
    },
    ports: {
      execution,
      mempool,
      heads: { onHead: handler => chain.onCommitted(({ change }) => handler(change)) },
      network: { peerCount: () => network.peers().length, syncing: () => syncProgress({ chain, syncer }) },
      morphism,
      clock,
      logger,
      metrics,
    },
  })
  lifecycle.own('rpc', () => rpc[Symbol.asyncDispose]())
  const health = async () => {
    const { ready, syncing, height, peers } = await morphism.nodeStatus()
    return {
      healthy: ready,
      status: ready ? 'ok' : syncing ? 'syncing' : 'starting',
      height,
      peers,
      l1: follower.health(),
    }
  }
  const telemetry = await TelemetryServer.start({ port: config.metricsPort, metrics: () => metrics.text(), health })
  lifecycle.own('telemetry', () => telemetry.close())
}
