import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import type { BlsSecretKey } from '../../base/crypto/bls.js'
import { bytesToHex } from '../../base/primitives/bytes.js'
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
import { createLibp2pNetwork } from '../../io/network/libp2p-network.js'
import { createWorkerRecovery } from '../../io/recovery/worker-recovery.js'
import { FileLog } from '../../io/storage/file-log.js'
import { LevelStore } from '../../io/storage/level-store.js'
import { createPinoLogger } from '../../io/telemetry/pino-logger.js'
import { createPrometheusMetrics } from '../../io/telemetry/prometheus-metrics.js'
import { createTelemetryServer } from '../../io/telemetry/telemetry-server.js'
import { systemClock } from '../../io/time/system-clock.js'
import { createBatcher } from '../../services/batcher/batcher.js'
import { Chain } from '../../services/chain/chain.js'
import { createL1Follower } from '../../services/l1-follower/l1-follower.js'
import { createMempool } from '../../services/mempool/create-mempool.js'
import { defaultMempoolConfig } from '../../services/mempool/mempool.js'
import { createRpcServer } from '../../services/rpc/rpc-server.js'
import { ChainApplication } from '../../services/sequencer/chain-application.js'
import { ConsensusEngine } from '../../services/sequencer/engine.js'
import { createSubmitter } from '../../services/submitter/submitter.js'
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
