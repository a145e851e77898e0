import path from 'node:path'
import { memberByKey } from '../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import { createWorkerCompression } from '../../io/compression/worker-compression.js'
import { createEmbeddedExecution } from '../../io/execution/embedded/embedded-execution.js'
import type { ExecutionClient } from '../../io/execution/execution-client.js'
import type { ConsensusSigner } from '../../io/keys/consensus-signer.js'
import { RemoteSigner } from '../../io/keys/remote-signer.js'
import type { SignatureVerifier } from '../../io/keys/signature-verifier.js'
import { createWorkerSignatureVerifier } from '../../io/keys/worker-signature-verifier.js'
import { createWorkerKzg } from '../../io/kzg/worker-kzg.js'
import type { Libp2pNetwork } from '../../io/network/libp2p-network.js'
import { createWorkerRecovery } from '../../io/recovery/worker-recovery.js'
import { FileLog } from '../../io/storage/file-log.js'
import { LevelStore } from '../../io/storage/level-store.js'
import { createProtocolSchedule } from '../../rules/upgrades/protocol-schedule.js'
import { nodeFiles } from '../node-files.js'
import { openGuardedSigner } from '../open-guarded-signer.js'
import { ApplicationTrace, applicationTraceName } from './application-trace.js'
import type { NodeGround, NodeTerms } from './assemble-node.js'
import { openConsensusLog } from './consensus-log.js'
import type { Frame } from './frame.js'
import { loadSet } from './l1-sets.js'
import { l2Genesis, l2GenesisBatch } from './l2-genesis.js'
import { mayHaveSigned } from './may-have-signed.js'

/** How long a process that was killed may hold the store's lock before it is gone. */
const lockWaitMs = 5_000

/** Opens what a real node stands on: disk, threads, L1, keys, peers. @throws MorphismError */
export async function openGround(
  frame: Frame,
): Promise<{ terms: NodeTerms; ground: NodeGround; network: Libp2pNetwork }> {
  const { config, clock, logger, metrics, lifecycle, fail } = frame
  const { network: file, dataDir } = config
  const inDataDir = (name: string) => path.join(dataDir, name)
  // The libraries behind L1 and peers are most of what a node loads: they come while store and execution open.
  const [l1, peers] = [import('./open-l1.js'), import('./open-network.js')]
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
  const verifier = createWorkerSignatureVerifier()
  lifecycle.own('verifier', () => verifier.close())
  const { openReader, openSubmitter } = await l1
  const reader = await openReader(frame, kzg)
  const genesisSet = await loadSet({ setId: 1, reader, store, clock, logger, signal: frame.stopping })
  const signer = await openSigner(frame, { domain, verifier, execution })
  if (signer && !memberByKey(genesisSet, signer.publicKey)) {
    logger.warn('the consensus key is not in the sequencer set', { setId: genesisSet.setId })
  }
  const { openNetwork } = await peers
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
      l1BlockTimeSec: file.l1.blockTimeSec,
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
      verifier,
      compression,
      kzg,
      mempoolJournal,
      sequencing: signer && { signer, wal: await openWal(frame) },
      submitter: openSubmitter(frame),
      ...openTrace(frame),
      fail,
    },
  }
}

async function openSigner(
  { config, clock, logger, lifecycle }: Frame,
  {
    domain,
    verifier,
    execution,
  }: { domain: SigningDomain; verifier: SignatureVerifier; execution: Pick<ExecutionClient, 'head'> },
): Promise<ConsensusSigner | null> {
  if (!config.sequencer) return null
  const { signer: from } = config.sequencer
  const { dataDir } = config
  const signer =
    from.kind === 'local'
      ? await openGuardedSigner({
          ...from,
          beginsRecord: from.beginsRecord || !(await mayHaveSigned({ dataDir, execution })),
          beginFlag: '--new-signing-record',
          domain,
          recordPath: path.join(dataDir, nodeFiles.signingRecord),
          logger,
        })
      : await RemoteSigner.connect({
          config: { address: from.address, token: from.token, domain },
          ports: { verifier, clock, logger: logger.child('signer') },
        })
  lifecycle.own('signer', () => signer.close())
  return signer
}

async function openWal({ config, lifecycle }: Frame): Promise<FileLog> {
  const log = await openConsensusLog(config.dataDir)
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

function openTrace({ config, clock, logger, lifecycle }: Frame): Pick<NodeGround, 'watchApplication'> {
  if (!config.tracesApplication) return {}
  const trace = new ApplicationTrace(path.join(config.dataDir, applicationTraceName), { clock, logger })
  lifecycle.own('application-trace', async () => trace.close())
  return { watchApplication: (application, head) => trace.watch(application, head) }
}
