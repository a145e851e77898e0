import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import type { BlsSecretKey } from '../../base/crypto/bls.js'
import { asciiToBytes, bytesToHex, concatBytes } from '../../base/primitives/bytes.js'
import { invariant } from '../../base/primitives/invariant.js'
import type { L1Message } from '../../base/protocol/l1-message.js'
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
import { createPinoLogger } from '../../io/telemetry/pino-logger.js'
import { createPrometheusMetrics } from '../../io/telemetry/prometheus-metrics.js'
import { createTelemetryServer } from '../../io/telemetry/telemetry-server.js'
import { systemClock } from '../../io/time/system-clock.js'
import { nextBaseFee } from '../../rules/blocks/base-fee.js'
import { type Batcher, createBatcher } from '../../services/batcher/batcher.js'
import { Chain, type CommittedBlock } from '../../services/chain/chain.js'
import { createL1Follower, type L1Follower } from '../../services/l1-follower/l1-follower.js'
import { createMempool } from '../../services/mempool/create-mempool.js'
import { defaultMempoolConfig } from '../../services/mempool/mempool.js'
import { createRpcServer } from '../../services/rpc/rpc-server.js'
import { ChainApplication } from '../../services/sequencer/chain-application.js'
import { ConsensusEngine } from '../../services/sequencer/engine.js'
import { createSubmitter, type SubmitterPorts } from '../../services/submitter/submitter.js'
import { Syncer } from '../../services/syncer/syncer.js'
import { loadSet } from './l1-sets.js'
import { l2Genesis, l2GenesisBatch } from './l2-genesis.js'
import { Lifecycle } from './lifecycle.js'
import type { NetworkFile } from './network-file.js'
import { loadOrCreateNodeIdentity } from './node-identity.js'
import { isSyncing, nodeQueries } from './node-queries.js'
import { rpcMempool } from './rpc-mempool.js'

/** What one node needs to run. */
export interface NodeConfig {
  readonly version: string
  readonly name: string
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
  readonly logLevel: string
}

export interface RunningNode {
  /** Stops every part in reverse order of its start. */
  stop(): Promise<void>
  /** Resolves when the node had to give up; it has stopped by then. */
  readonly failed: Promise<void>
}

/** Starts a node: every part of it is made and joined to the others here, and nowhere else. @throws MorphismError */
export async function startNode(config: NodeConfig): Promise<RunningNode> {
  const { network: file, role, dataDir } = config
  const { parameters } = file
  const clock = systemClock
  const logger = createPinoLogger({ level: config.logLevel, name: config.name })
  const metrics = createPrometheusMetrics()
  const lifecycle = new Lifecycle(logger)
  const stopping = new AbortController()
  const { failed, fail } = failure({ logger, lifecycle, stopping })
  const at = (name: string) => path.join(dataDir, name)
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 })
    const store = await LevelStore.open({ path: at('store') })
    lifecycle.own('store', () => store.close())

    const domain: SigningDomain = { l1ChainId: file.l1.chainId, rollup: file.l1.contracts.rollup }
    const genesis = l2Genesis(file)
    const genesisBatch = l2GenesisBatch(genesis)
    const execution = await createEmbeddedExecution({
      dataDir: at('execution'),
      genesis,
      logger: logger.child('execution'),
    })
    lifecycle.own('execution', () => execution.close())
    execution.failed.then(fail)

    const kzg = createWorkerKzg()
    lifecycle.own('kzg', () => kzg.close())
    const compression = createWorkerCompression()
    lifecycle.own('compression', () => compression.close())
    const reader = createViemL1Reader({
      config: { rpcUrl: config.l1RpcUrl, contracts: file.l1.contracts },
      ports: { kzg },
    })
    const follower = createL1Follower({
      config: { parameters, startBlock: file.l1.startBlock, pollMs: l1PollMs },
      ports: { reader, store, clock, logger: logger.child('l1'), metrics },
    })
    lifecycle.own('l1-follower', () => follower[Symbol.asyncDispose]())
    const set = await loadSet({ setId: 1, reader, store, clock, logger, signal: stopping.signal })
    const sets = { setAt: () => set, activeFrom: () => 1 }

    const signer = config.sequencer
      ? await openSigner({ key: config.sequencer.secretKey, domain, path: at('signing-record') })
      : null
    if (signer) {
      lifecycle.own('signer', () => signer.close())
      if (!memberByKey(set, signer.publicKey))
        logger.warn('the consensus key is not in the sequencer set', { setId: set.setId })
    }
    const identity = await loadOrCreateNodeIdentity(config.nodeKeyFile)
    const network = await Libp2pNetwork.create({
      config: {
        listen: { host: config.p2p.host, port: config.p2p.port },
        peers: config.p2p.peers,
        network: { l2ChainId: file.l2.chainId, genesisHash: genesisBatch.lastBlockHash, domain },
        role,
      },
      nodeKey: identity.seed,
      ...(signer ? { signer } : {}),
      logger: logger.child('network'),
      metrics,
      clock,
    })
    lifecycle.own('network', () => network.close())

    const recovery = createWorkerRecovery()
    lifecycle.own('recovery', () => recovery.close())
    const journal = await FileLog.open({ path: at('mempool-journal') })
    lifecycle.own('mempool-journal', () => journal.close())
    const head = await execution.head()
    const mempool = await createMempool({
      config: {
        ...defaultMempoolConfig,
        chainId: BigInt(file.l2.chainId),
        blockGasLimit: parameters.gasLimit,
        baseFeePerGas: nextBaseFee(head.header),
      },
      ports: {
        recovery,
        accounts: execution,
        network,
        journal,
        clock,
        logger: logger.child('mempool'),
        metrics,
        isSequencer: role === 'sequencer',
        isSequencerPeer: peer => peer.consensusKey !== null && memberByKey(set, peer.consensusKey) !== undefined,
        sequencerCount: () => set.members.length,
      },
    })
    lifecycle.own('mempool', () => mempool[Symbol.asyncDispose]())

    const chain = await Chain.open({
      config: { parameters, domain },
      ports: {
        execution,
        store,
        sets,
        messages: range => knownMessages(follower, range),
        sendersOf: transactions => mempool.sendersOf(transactions),
        logger: logger.child('chain'),
      },
    })
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

    let engine: ConsensusEngine | null = null
    const heads: ((committed: CommittedBlock) => void)[] = []
    chain.onCommitted(committed => {
      mempool.onHead(committed.change)
      engine?.onHead()
      batcher.onDecided(committed.block)
      for (const listener of heads) listener(committed)
    })
    const syncer = new Syncer(
      { domain, role },
      { chain, network, sets, clock, logger: logger.child('syncer'), metrics },
    )
    lifecycle.own('syncer', () => syncer.stop())
    keepLabels({ chain, batcher, follower, fail })

    if (signer) {
      const wal = await FileLog.open({ path: at('consensus-wal') })
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
        logger: logger.child('application'),
        metrics,
      })
      engine = await ConsensusEngine.start({
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
          onFatal: fail,
        },
      })
      lifecycle.own('consensus', async () => engine?.stop())
    }
    if (config.sequencer?.submitterKey) {
      const submitter = createSubmitter({
        config: { parameters, staggerSec: 2 },
        ports: {
          batches: submittableBatches(batcher),
          l1: createViemL1Submitter({
            config: {
              rpcUrl: config.l1RpcUrl,
              chainId: file.l1.chainId,
              rollup: file.l1.contracts.rollup,
              privateKey: bytesToHex(config.sequencer.submitterKey),
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
    await network.start()

    const queries = nodeQueries({
      version: config.version,
      role,
      chain,
      execution,
      sets,
      batcher,
      follower,
      syncer,
      network,
      engine: () => engine?.status() ?? null,
    })
    const rpc = await createRpcServer({
      config: {
        ...config.rpc,
        chainId: file.l2.chainId,
        clientVersion: `morphism/v${config.version}/${process.platform}-${process.arch}/node${process.versions.node}`,
      },
      ports: {
        execution,
        mempool: rpcMempool(mempool),
        heads: {
          onHead(handler) {
            const listener = ({ change }: CommittedBlock) => handler(change)
            heads.push(listener)
            return () => {
              heads.splice(heads.indexOf(listener), 1)
            }
          },
        },
        network: {
          peerCount: () => network.peers().length,
          syncing: () =>
            isSyncing({ chain, syncer })
              ? { startingBlock: 0, currentBlock: chain.height(), highestBlock: syncer.bestKnownHeight() }
              : null,
        },
        morphism: queries,
        clock,
        logger,
        metrics,
      },
    })
    lifecycle.own('rpc', () => rpc[Symbol.asyncDispose]())
    const telemetry = await createTelemetryServer({
      config: { port: config.metricsPort },
      ports: {
        metrics,
        health: async () => {
          const { ready, syncing, height, peers } = await queries.nodeStatus()
          return {
            healthy: ready,
            status: ready ? 'ok' : syncing ? 'syncing' : 'starting',
            height,
            peers,
            l1: follower.health(),
          }
        },
      },
    })
    lifecycle.own('telemetry', () => telemetry[Symbol.asyncDispose]())
    logger.info('node is running', { role, height: chain.height(), rpc: rpc.address().url, peer: identity.peerId })
  } catch (error) {
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

/** How often L1 is looked at. */
const l1PollMs = 250

/** The one way in which a node gives up: logged, every part stopped, then told. */
function failure({
  logger,
  lifecycle,
  stopping,
}: {
  logger: Logger
  lifecycle: Lifecycle
  stopping: AbortController
}): {
  failed: Promise<void>
  fail: (error: unknown) => void
} {
  let given = false
  let tell: () => void = () => {}
  const failed = new Promise<void>(resolve => {
    tell = resolve
  })
  return {
    failed,
    fail(error) {
      if (given || stopping.signal.aborted) return
      given = true
      stopping.abort()
      logger.error('the node must stop', { error })
      void lifecycle.stop().then(tell)
    },
  }
}

async function openSigner({
  key,
  domain,
  path: file,
}: {
  key: BlsSecretKey
  domain: SigningDomain
  path: string
}): Promise<GuardedSigner> {
  const owner = concatBytes(key.publicKey(), asciiToBytes(`${domain.l1ChainId}/${domain.rollup}`))
  return new GuardedSigner({ secretKey: key, domain, record: await FileSigningRecord.open({ path: file, owner }) })
}

/** L1 messages [from, to) once this node has followed L1 that far; gives L1 a moment when it has not. */
async function knownMessages(
  follower: L1Follower,
  { from, to }: { from: number; to: number },
): Promise<readonly L1Message[] | null> {
  for (let tries = 0; tries < 2; tries++) {
    const messages = follower.messages({ from, upToL1Block: Number.MAX_SAFE_INTEGER, limit: to - from })
    if (messages.length === to - from) return messages
    await follower.refresh()
  }
  return null
}

/** The safe label follows the batches that L1 accepted, the finalized label those that are final there. */
function keepLabels({
  chain,
  batcher,
  follower,
  fail,
}: {
  chain: Chain
  batcher: Batcher
  follower: L1Follower
  fail: (error: unknown) => void
}): void {
  const heightOf = async (index: number) => (index === 0 ? 0 : ((await batcher.batch(index))?.header.lastBlock ?? 0))
  const update = async () => {
    const [safe, finalized] = await Promise.all([
      heightOf(follower.lastCommitted()),
      heightOf(follower.lastFinalized()),
    ])
    await chain.setLabels({ safe, finalized })
  }
  follower.onChange(() => void update().catch(fail))
}

/** The batcher as the submitter asks for batches. */
function submittableBatches(batcher: Batcher): SubmitterPorts['batches'] {
  return {
    batch: index => batcher.batch(index),
    async sidecars(index) {
      const batch = await batcher.batch(index)
      invariant(batch, 'a batch to submit is missing', { index })
      return batch.blobs()
    },
    latestCertified: () => batcher.latestCertified(),
    onCertified: handler => batcher.onCertified(handler),
  }
}
