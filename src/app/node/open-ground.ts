import path from 'node:path'
import { bytesToHex } from '../../base/primitives/bytes.js'
import type { BlockHash } from '../../base/primitives/hashes.js'
import { memberByKey } from '../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import { createWorkerCompression } from '../../io/compression/worker-compression.js'
import { createEmbeddedExecution } from '../../io/execution/embedded/embedded-execution.js'
import type { ConsensusSigner } from '../../io/keys/consensus-signer.js'
import { signingRecordName } from '../../io/keys/file-signing-record.js'
import { GuardedSigner } from '../../io/keys/guarded-signer.js'
import { RemoteSigner } from '../../io/keys/remote-signer.js'
import { createWorkerSignatureVerifier } from '../../io/keys/worker-signature-verifier.js'
import type { Kzg } from '../../io/kzg/kzg.js'
import { createWorkerKzg } from '../../io/kzg/worker-kzg.js'
import type { L1Reader } from '../../io/l1/l1-client.js'
import type { L1Endpoint } from '../../io/l1/l1-rpc.js'
import { createQuorumL1Reader } from '../../io/l1/quorum-l1-reader.js'
import { createViemL1Reader } from '../../io/l1/viem-l1-reader.js'
import { createViemL1Submitter } from '../../io/l1/viem-l1-submitter.js'
import { Libp2pNetwork } from '../../io/network/libp2p-network.js'
import { createWorkerRecovery } from '../../io/recovery/worker-recovery.js'
import { FileLog } from '../../io/storage/file-log.js'
import { LevelStore } from '../../io/storage/level-store.js'
import type { Logger } from '../../io/telemetry/logger.js'
import type { PrometheusMetrics } from '../../io/telemetry/prometheus-metrics.js'
import type { Clock } from '../../io/time/clock.js'
import { createProtocolSchedule } from '../../rules/upgrades/protocol-schedule.js'
import type { NodeGround, NodeTerms } from './assemble-node.js'
import { loadSet } from './l1-sets.js'
import { l2Genesis, l2GenesisBatch } from './l2-genesis.js'
import type { Lifecycle } from './lifecycle.js'
import { loadOrCreateNodeIdentity } from './node-identity.js'
import type { NodeConfig } from './start-node.js'

/** What a node is opened with. */
export interface Frame {
  readonly config: NodeConfig
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: PrometheusMetrics
  readonly lifecycle: Lifecycle
  readonly fail: (error: unknown) => void
  readonly stopping: AbortSignal
}

/** Milliseconds that one of several L1 endpoints has for an answer. */
const quorumTimeoutMs = 5_000

/** How long a process that was killed may hold the store's lock before it is gone. */
const lockWaitMs = 5_000

/** Opens what a real node stands on: disk, threads, L1, keys, peers. @throws MorphismError */
export async function openGround(
  frame: Frame,
): Promise<{ terms: NodeTerms; ground: NodeGround; network: Libp2pNetwork }> {
  const { config, clock, logger, metrics, lifecycle, fail } = frame
  const { network: file, dataDir } = config
  const inDataDir = (name: string) => path.join(dataDir, name)
  const store = await LevelStore.open({ path: inDataDir('store'), lockWaitMs })
  lifecycle.own('store', () => store.close())
  const domain: SigningDomain = { l1ChainId: file.l1.chainId, rollup: file.l1.contracts.rollup }
  const genesis = l2Genesis(file)
  const genesisBatch = l2GenesisBatch(genesis)
  const execution = await createEmbeddedExecution({
    dataDir,
    genesis,
    logger: logger.child('execution'),
    onFailure: fail,
  })
  lifecycle.own('execution', () => execution.close())
  const kzg = createWorkerKzg()
  lifecycle.own('kzg', () => kzg.close())
  const compression = createWorkerCompression()
  lifecycle.own('compression', () => compression.close())
  const recovery = createWorkerRecovery()
  lifecycle.own('recovery', () => recovery.close())
  const reader = openReader(frame, kzg)
  const genesisSet = await loadSet({ setId: 1, reader, store, clock, logger, signal: frame.stopping })
  const signer = await openSigner(frame, domain)
  if (signer && !memberByKey(genesisSet, signer.publicKey)) {
    logger.warn('the consensus key is not in the sequencer set', { setId: genesisSet.setId })
  }
  const network = await openNetwork(frame, { domain, genesisHash: genesisBatch.lastBlockHash, signer })
  const mempoolJournal = await openJournal(frame)
  return {
    network,
    terms: {
      role: config.role,
      protocol: createProtocolSchedule(file),
      domain,
      l2ChainId: file.l2.chainId,
      genesisBatch,
      l1StartBlock: file.l1.startBlock,
      genesisSet,
    },
    ground: {
      clock,
      logger,
      metrics,
      store,
      execution,
      network,
      reader,
      recovery,
      compression,
      kzg,
      mempoolJournal,
      sequencing: signer && { signer, wal: await openWal(frame), verifier: openVerifier(frame) },
      submitter: openSubmitter(frame),
      fail,
    },
  }
}

/** One endpoint is believed; several are read by quorum, each failing fast since the others answer. */
function openReader({ config, clock, logger, metrics }: Frame, kzg: Kzg): L1Reader {
  const { contracts } = config.network.l1
  const { rpcUrls, quorum } = config.l1
  const readerOf = (endpoint: L1Endpoint) => createViemL1Reader({ config: { ...endpoint, contracts }, ports: { kzg } })
  if (rpcUrls.length === 1) return readerOf({ rpcUrl: rpcUrls[0] })
  const endpoints = rpcUrls.map(url => ({
    url,
    reader: readerOf({ rpcUrl: url, requestTimeoutMs: quorumTimeoutMs, retries: 0 }),
  }))
  return createQuorumL1Reader({
    config: { timeoutMs: quorumTimeoutMs, ...(quorum === undefined ? {} : { quorum }) },
    ports: { endpoints, clock, logger: logger.child('l1'), metrics },
  })
}

async function openSigner(
  { config, clock, logger, lifecycle }: Frame,
  domain: SigningDomain,
): Promise<ConsensusSigner | null> {
  if (!config.sequencer) return null
  const { signer: from } = config.sequencer
  const signer =
    from.kind === 'local'
      ? await GuardedSigner.open({ ...from, domain, recordPath: path.join(config.dataDir, signingRecordName) })
      : await RemoteSigner.connect({
          config: { address: from.address, token: from.token, domain },
          ports: { clock, logger: logger.child('signer') },
        })
  lifecycle.own('signer', () => signer.close())
  return signer
}

async function openNetwork(
  { config, clock, logger, metrics, lifecycle }: Frame,
  { domain, genesisHash, signer }: { domain: SigningDomain; genesisHash: BlockHash; signer: ConsensusSigner | null },
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

async function openWal({ config, lifecycle }: Frame): Promise<FileLog> {
  const log = await FileLog.open({ path: path.join(config.dataDir, 'consensus-wal') })
  lifecycle.own('consensus-wal', () => log.close())
  return log
}

/** Unlike the log of consensus, the mempool's is no reason not to start: what it loses can be sent again. */
async function openJournal({ config, lifecycle, logger }: Frame): Promise<FileLog> {
  const { log, setAside } = await FileLog.openOrSetAside({ path: path.join(config.dataDir, 'mempool-journal') })
  if (setAside) {
    const { length: kept } = await log.readAll()
    logger.warn('the mempool journal was corrupt: it is put aside, and what could be read is kept', { setAside, kept })
  }
  lifecycle.own('mempool-journal', () => log.close())
  return log
}

function openVerifier({ lifecycle }: Frame) {
  const verifier = createWorkerSignatureVerifier()
  lifecycle.own('verifier', () => verifier.close())
  return verifier
}

function openSubmitter({ config, clock, logger }: Frame): NodeGround['submitter'] {
  const key = config.sequencer?.submitterKey
  if (!key) return null
  const { chainId, contracts } = config.network.l1
  const [rpcUrl, ...fallbackRpcUrls] = config.l1.rpcUrls
  return createViemL1Submitter({
    config: { rpcUrl, fallbackRpcUrls, chainId, rollup: contracts.rollup, privateKey: bytesToHex(key) },
    ports: { clock, logger: logger.child('l1') },
  })
}
