import type { Height } from '../../base/primitives/quantities.js'
import { memberByKey, type SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { ExecutionClient } from '../../io/execution/execution-client.js'
import type { PeerNetwork } from '../../io/network/peer-network.js'
import type { Batcher } from '../../services/batcher/batcher.js'
import type { Chain } from '../../services/chain/chain.js'
import type { L1Follower } from '../../services/l1-follower/l1-follower.js'
import type { BatchInfo, BatchSelector, MorphismQueries, NodeStatus } from '../../services/rpc/morphism-queries.js'
import type { EngineStatus } from '../../services/sequencer/engine.js'
import type { EvidencePool } from '../../services/sequencer/evidence-pool.js'
import { syncingBehind } from '../../services/sequencer/explain/no-block-reason.js'
import type { Syncer } from '../../services/syncer/syncer.js'
import { type ExplainParts, explainNode, nextUpgrade, notReadyReasons } from './explain-node.js'

export interface NodeQueriesParts extends ExplainParts {
  readonly version: string
  readonly role: 'sequencer' | 'full'
  readonly chain: Chain
  readonly execution: Pick<ExecutionClient, 'contextAt' | 'stateDiffOf'>
  readonly sets: { setAt(height: Height): SequencerSet; activeFrom(height: Height): Height }
  readonly batcher: Pick<Batcher, 'batch' | 'latest'>
  readonly follower: L1Follower
  readonly syncer: Syncer
  readonly network: Pick<PeerNetwork, 'peers'>
  readonly evidence: Pick<EvidencePool, 'list'>
  /** Null on a node that does not take part in consensus. */
  readonly engine: () => EngineStatus | null
  /** Null on a node without a consensus key. */
  readonly signing: () => NodeStatus['signing']
}

/** Whether the node is noticeably behind what its peers have proved. */
function isSyncing({ chain, syncer }: Pick<NodeQueriesParts, 'chain' | 'syncer'>): boolean {
  return syncer.bestKnownHeight() - chain.height() > syncingBehind
}

/** How far a node that is behind has come, for eth_syncing; null when it is not. */
export function syncProgress({ chain, syncer }: Pick<NodeQueriesParts, 'chain' | 'syncer'>): {
  startingBlock: Height
  currentBlock: Height
  highestBlock: Height
} | null {
  if (!isSyncing({ chain, syncer })) return null
  return { startingBlock: 0, currentBlock: chain.height(), highestBlock: syncer.bestKnownHeight() }
}

/** Answers of the node about itself and its chain, for the `morphism_` methods. */
export function nodeQueries(parts: NodeQueriesParts): MorphismQueries {
  const { chain, execution, sets, batcher, follower } = parts
  return {
    certificateAt: async height => chain.certificateAt(height),
    async sequencerSetAt(height) {
      const signed = Math.max(1, height)
      return { set: sets.setAt(signed), activeFrom: sets.activeFrom(signed) }
    },
    contextAt: (height, asker) => execution.contextAt(height, asker),
    batch: selector => batchInfo({ batcher, follower, selector }),
    nodeStatus: async () => nodeStatus(parts),
    evidence: async filter => parts.evidence.list(filter),
    async peers() {
      const set = sets.setAt(chain.height() + 1)
      return parts.network.peers().map(({ id, consensusKey }) => ({
        id,
        consensusKey,
        sequencer: (consensusKey && memberByKey(set, consensusKey)?.feeRecipient) ?? null,
      }))
    },
    explain: async height => explainNode(parts, height),
    stateDiffOf: (blockHash, asker) => execution.stateDiffOf(blockHash, asker),
  }
}

async function batchInfo({
  batcher,
  follower,
  selector,
}: {
  batcher: Pick<Batcher, 'batch' | 'latest'>
  follower: L1Follower
  selector: BatchSelector
}): Promise<BatchInfo | null> {
  const named = {
    latest: () => batcher.latest(),
    committed: () => follower.lastCommitted(),
    finalized: () => follower.lastFinalized(),
  }
  const index = typeof selector === 'number' ? selector : named[selector]()
  const batch = await batcher.batch(index)
  if (!batch) return null
  const { header, batchHash, certificate } = batch
  const onL1 = follower.committedBatch(index)
  const finalized = index <= follower.lastFinalized()
  const committed = index <= follower.lastCommitted()
  return {
    header,
    batchHash,
    certificate: certificate ? { absent: certificate.absent, signature: certificate.signature } : null,
    status: finalized ? 'finalized' : committed ? 'committed' : certificate ? 'certified' : 'sealed',
    l1TransactionHash: onL1?.transactionHash ?? null,
    l1BlockNumber: onL1?.l1BlockNumber ?? null,
  }
}

function nodeStatus(parts: NodeQueriesParts): NodeStatus {
  const { version, role, chain, sets, batcher, follower, network } = parts
  const height = chain.height()
  const set = sets.setAt(height + 1)
  const engine = parts.engine()
  const syncing = isSyncing(parts)
  const notReady = notReadyReasons(parts)
  const { l1OriginNumber, l1OriginHash } = chain.head().context
  return {
    role,
    version,
    ready: !syncing && chain.versionHalt() === null && network.peers().length >= Math.min(1, set.members.length - 1),
    syncing,
    readyToLead: notReady.length === 0,
    notReadyToLead: notReady,
    protocolVersion: chain.head().context.version,
    upgrade: nextUpgrade(parts),
    height,
    round: engine?.round ?? 0,
    step: engine?.step ?? 'follow',
    proposer: engine ? (set.members[engine.proposer]?.feeRecipient ?? null) : null,
    setId: set.setId,
    peers: network.peers().length,
    latestBatch: batcher.latest(),
    committedBatch: follower.lastCommitted(),
    finalizedBatch: follower.lastFinalized(),
    l1Origin: { number: l1OriginNumber, hash: l1OriginHash },
    signing: parts.signing(),
  }
}
