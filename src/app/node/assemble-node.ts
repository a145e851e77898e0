import type { Height } from '../../base/primitives/quantities.js'
import type { BatchHeader } from '../../base/protocol/batch-header.js'
import { memberByKey, type SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import type { Compression } from '../../io/compression/compression.js'
import type { ExecutionClient } from '../../io/execution/execution-client.js'
import type { ConsensusSigner } from '../../io/keys/consensus-signer.js'
import type { SignatureVerifier } from '../../io/keys/signature-verifier.js'
import type { Kzg } from '../../io/kzg/kzg.js'
import type { L1Reader, L1Submitter } from '../../io/l1/l1-client.js'
import type { PeerNetwork } from '../../io/network/peer-network.js'
import type { SenderRecovery } from '../../io/recovery/sender-recovery.js'
import type { AppendLog } from '../../io/storage/append-log.js'
import type { KeyValueStore } from '../../io/storage/key-value-store.js'
import type { Logger } from '../../io/telemetry/logger.js'
import type { Metrics } from '../../io/telemetry/metrics.js'
import type { Clock } from '../../io/time/clock.js'
import { nextBaseFee } from '../../rules/blocks/base-fee.js'
import { createSetSchedule, type SetSchedule } from '../../rules/staking/set-schedule.js'
import type { ProtocolSchedule } from '../../rules/upgrades/protocol-schedule.js'
import { Chain } from '../../services/chain/chain.js'
import { createL1Follower, type L1Follower } from '../../services/l1-follower/l1-follower.js'
import { createMempool } from '../../services/mempool/create-mempool.js'
import { defaultMempoolConfig, type Mempool } from '../../services/mempool/mempool.js'
import type { Application } from '../../services/sequencer/application.js'
import { ChainApplication } from '../../services/sequencer/chain-application.js'
import { ConsensusEngine } from '../../services/sequencer/engine.js'
import { EvidencePool } from '../../services/sequencer/evidence-pool.js'
import { SigningWatch } from '../../services/sequencer/signing/signing-watch.js'
import { type AggregationConfig, defaultAggregation } from '../../services/sequencer/votes/near-aggregator.js'
import { createSubmitter, type Submitter } from '../../services/submitter/submitter.js'
import { Syncer } from '../../services/syncer/syncer.js'
import { takeCommittedCertificates } from './committed-certificates.js'
import { Component } from './component.js'
import { auditDeposits } from './deposit-audit.js'
import { endOnFailedHead, endOnFailedWrite } from './failed-writes.js'
import { keepLabels, knownMessages, submittableBatches } from './joints.js'
import { judgingSet } from './judging-set.js'
import type { Lifecycle } from './lifecycle.js'
import { ReplaceableBatcher } from './replaceable-batcher.js'
import { watchUpgrades } from './watch-upgrades.js'

/** How often L1 is looked at while its next block is due. */
const l1PollMs = 500
/** L1 blocks that each further step of the line waits when a turn was missed: one is often too few for a transaction. */
const submitterStaggerBlocks = 2

/** What a network's nodes have in common, as their services need it. */
export interface NodeTerms {
  readonly role: 'sequencer' | 'full'
  /** What the network file schedules, as far as this software knows it. */
  readonly protocol: ProtocolSchedule
  readonly domain: SigningDomain
  readonly l2ChainId: number
  readonly genesisBatch: BatchHeader
  /** L1 block of the first contract. */
  readonly l1StartBlock: number
  readonly l1BlockTimeSec: number
  readonly genesisSet: SequencerSet
}

/** What a node stands on: everything outside its services, real or, in a simulation, in memory. Who opened it closes it. */
export interface NodeGround {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly store: KeyValueStore
  readonly execution: ExecutionClient
  readonly network: PeerNetwork
  readonly reader: L1Reader
  readonly recovery: SenderRecovery
  readonly verifier: SignatureVerifier
  readonly compression: Compression
  readonly kzg: Kzg
  readonly mempoolJournal: AppendLog
  /** Null on a node that does not sign. */
  readonly sequencing: {
    readonly signer: ConsensusSigner
    readonly wal: AppendLog
    /** Left out: the default. */
    readonly aggregation?: AggregationConfig
  } | null
  /** Null on a node that posts no batches. */
  readonly submitter: L1Submitter | null
  /** Wraps the application that the consensus engine calls, for those who watch the calls; `head` is the number of the head block. */
  readonly watchApplication?: (application: Application, head: () => Height) => Application
  /** A broken invariant, a write that failed or a part that is beyond repair: the node must stop. */
  readonly fail: (error: unknown) => void
}

/** The services of a node, joined. */
export interface NodeServices {
  readonly sets: SetSchedule
  readonly follower: L1Follower
  readonly mempool: Mempool
  readonly chain: Chain
  readonly batcher: ReplaceableBatcher
  readonly syncer: Syncer
  readonly evidence: EvidencePool
  readonly engine: ConsensusEngine | null
  /** Null on a node that posts no batches. */
  readonly submitter: Component<Submitter> | null
  /** Null on a node that does not sign. */
  readonly signing: SigningWatch | null
}

/** Makes the services of a node on its ground and joins them to one another, here and nowhere else. */
export async function assembleNode({
  terms,
  ground,
  lifecycle,
}: {
  terms: NodeTerms
  ground: NodeGround
  lifecycle: Lifecycle
}): Promise<NodeServices> {
  const { protocol, domain, role, genesisSet } = terms
  const parameters = protocol.genesis
  const { clock, logger, metrics, execution, network, reader, verifier, kzg, compression } = ground
  const store = endOnFailedWrite(ground.store, ground.fail)
  const sets = createSetSchedule({ genesisSet, minSequencers: parameters.minSequencers })
  const follower = createL1Follower({
    config: { parameters, startBlock: terms.l1StartBlock, pollMs: l1PollMs },
    ports: { reader, store, clock, logger: logger.child('l1'), metrics },
  })
  lifecycle.own('l1-follower', () => follower[Symbol.asyncDispose]())
  const mempool = await openMempool({ terms, ground, lifecycle })
  const chain = await Chain.open({
    config: { protocol, domain },
    ports: {
      execution: endOnFailedHead(execution, ground.fail),
      store,
      verifier,
      sets,
      messages: range => knownMessages({ follower, clock, range }),
      sendersOf: transactions => mempool.sendersOf(transactions),
    },
  })
  chain.onCommitted(({ change }) => mempool.onHead(change))
  const evidence = await EvidencePool.open({
    domain,
    ports: {
      store,
      network,
      setOf: piece => judgingSet({ sets, height: chain.height() }, piece),
      clock,
      logger: logger.child('evidence'),
      metrics,
    },
  })
  chain.onCommitted(() => evidence.onHead())
  lifecycle.own('evidence', () => evidence.settled())
  const batcher = new ReplaceableBatcher({
    fail: ground.fail,
    config: { protocol, domain, genesis: terms.genesisBatch },
    ports: {
      store,
      execution,
      l1View: follower,
      sets,
      verifier,
      signer: ground.sequencing?.signer ?? null,
      network,
      onConflict: conflict => evidence.reportAttestations(conflict),
      compression,
      kzg,
      clock,
      logger: logger.child('batcher'),
      metrics,
    },
  })
  await batcher.component.start()
  lifecycle.own('batcher', () => batcher.component.dispose())
  const syncer = new Syncer(
    { domain, role },
    { chain, network, sets, clock, logger: logger.child('syncer'), metrics, fail: ground.fail },
  )
  lifecycle.own('syncer', () => syncer.stop())
  watchUpgrades({ chain, protocol, logger, metrics })
  keepLabels({ chain, batcher, follower, fail: ground.fail })
  auditDeposits({ chain, follower, logger: logger.child('l1'), metrics })
  takeCommittedCertificates({ batcher, follower, reader, logger: logger.child('batcher'), fail: ground.fail })
  const joined = { sets, follower, mempool, chain, batcher, syncer, evidence }
  const signing = watchSigning({ terms, ground, lifecycle }, joined)
  const engine = await startConsensus({ terms, ground, lifecycle }, { ...joined, signing })
  const submitter = await startSubmitter({ terms, ground, lifecycle }, joined)
  return { ...joined, engine, submitter, signing }
}

interface Making {
  readonly terms: NodeTerms
  readonly ground: NodeGround
  readonly lifecycle: Lifecycle
}

async function openMempool({ terms, ground, lifecycle }: Making): Promise<Mempool> {
  const { role, genesisSet } = terms
  const { execution, network, recovery, mempoolJournal, clock, logger, metrics } = ground
  const { header } = await execution.head()
  const mempool = await createMempool({
    config: {
      ...defaultMempoolConfig,
      chainId: BigInt(terms.l2ChainId),
      blockGasLimit: header.gasLimit,
      baseFeePerGas: nextBaseFee(header),
    },
    ports: {
      recovery,
      accounts: execution,
      network,
      journal: mempoolJournal,
      clock,
      logger: logger.child('mempool'),
      metrics,
      isSequencer: role === 'sequencer',
      isSequencerPeer: peer => peer.consensusKey !== null && memberByKey(genesisSet, peer.consensusKey) !== undefined,
      sequencerCount: () => genesisSet.members.length,
    },
  })
  lifecycle.own('mempool', () => mempool[Symbol.asyncDispose]())
  return mempool
}

/** The node's signer as consensus uses it, on a node with a consensus key: it watches the network for its own key. */
function watchSigning(
  { ground, lifecycle }: Making,
  { chain, syncer, sets, batcher }: Pick<NodeServices, 'chain' | 'syncer' | 'sets' | 'batcher'>,
): SigningWatch | null {
  if (!ground.sequencing) return null
  const { network, clock, logger } = ground
  const watch = new SigningWatch({
    signer: ground.sequencing.signer,
    sets,
    network,
    height: () => chain.height(),
    bestKnownHeight: () => syncer.bestKnownHeight(),
    latestCertifiedBatch: () => batcher.latestCertified(),
    clock,
    logger: logger.child('signing'),
  })
  chain.onCommitted(({ certificate }) => watch.onCertificate(certificate))
  lifecycle.own('signing-watch', () => watch.close())
  return watch
}

/** The consensus engine, on a node with a consensus key. Its next height begins before the batcher hears of the last. */
async function startConsensus(
  { terms, ground, lifecycle }: Making,
  { chain, mempool, batcher, follower, sets, evidence, signing }: Omit<NodeServices, 'engine' | 'submitter'>,
): Promise<ConsensusEngine | null> {
  const { protocol, domain } = terms
  const { execution, network, verifier, clock, logger, metrics } = ground
  let engine: ConsensusEngine | null = null
  chain.onCommitted(() => engine?.onHead())
  chain.onCommitted(({ block }) => batcher.onDecided(block))
  if (!ground.sequencing || !signing) return null
  const application = new ChainApplication(protocol, {
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
    config: { protocol, domain, aggregation: ground.sequencing.aggregation ?? defaultAggregation },
    ports: {
      wal: ground.sequencing.wal,
      signer: signing,
      verifier,
      application: ground.watchApplication?.(application, () => chain.head().header.number) ?? application,
      work: application,
      head: () => chain.head(),
      takesPart: () => chain.versionHalt() === null,
      sets,
      network,
      clock,
      logger: logger.child('consensus'),
      metrics,
      onEquivocation: (first, second) => evidence.reportMessages(first, second),
      onFatal: ground.fail,
    },
  })
  engine = started
  lifecycle.own('consensus', () => started.stop())
  return started
}

/** Posts batches, on a node with a submitter's account. */
async function startSubmitter(
  { terms, ground, lifecycle }: Making,
  { batcher, follower }: Pick<NodeServices, 'batcher' | 'follower'>,
): Promise<Component<Submitter> | null> {
  if (!ground.submitter) return null
  const { clock, logger, metrics, fail } = ground
  const { genesisSet, protocol } = terms
  const args = {
    config: {
      parameters: protocol.genesis,
      consensusKey: ground.sequencing?.signer.publicKey ?? null,
      staggerSec: submitterStaggerBlocks * terms.l1BlockTimeSec,
    },
    ports: {
      batches: submittableBatches(batcher),
      l1: ground.submitter,
      follower,
      sets: { set: (id: number) => (id === genesisSet.setId ? genesisSet : undefined) },
      clock,
      logger: logger.child('submitter'),
      metrics,
    },
  }
  const recipe = {
    start: async () => createSubmitter(args),
    stop: (submitter: Submitter) => submitter[Symbol.asyncDispose](),
  }
  const submitter = new Component('submitter', recipe, { ...args.ports, fail })
  await submitter.start()
  lifecycle.own('submitter', () => submitter.dispose())
  return submitter
}
