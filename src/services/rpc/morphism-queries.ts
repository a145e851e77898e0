import type {
  Address,
  BatchHash,
  BlockHash,
  Hash32,
  L1BlockHash,
  TransactionHash,
} from '../../base/primitives/hashes.js'
import type { BatchIndex, Height, L1BlockNumber, Round, SetId } from '../../base/primitives/quantities.js'
import type { BatchHeader } from '../../base/protocol/batch-header.js'
import type { BlockContext } from '../../base/protocol/block-context.js'
import type { Evidence } from '../../base/protocol/evidence.js'
import type { QuorumCertificate } from '../../base/protocol/quorum-certificate.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { Asker, BlockStateDiff } from '../../io/execution/execution-client.js'

/** How far a batch has come on its way to finality on L1. */
export type BatchStatus = 'sealed' | 'certified' | 'committed' | 'finalized'

/** What is known of one batch. */
export interface BatchInfo {
  readonly header: BatchHeader
  readonly batchHash: BatchHash
  /** Null until a quorum attested it. */
  readonly certificate: { readonly absent: bigint; readonly signature: Uint8Array } | null
  readonly status: BatchStatus
  /** Null until L1 accepted it. */
  readonly l1TransactionHash: TransactionHash | null
  readonly l1BlockNumber: L1BlockNumber | null
}

/** A batch by its index, or the newest that is sealed, on L1, or final on L1. */
export type BatchSelector = BatchIndex | 'latest' | 'committed' | 'finalized'

/** The state of this node (protocol.md section 9). */
export interface NodeStatus {
  readonly role: 'sequencer' | 'full'
  readonly version: string
  /** Serves and follows the chain. */
  readonly ready: boolean
  readonly syncing: boolean
  /** Whether it could lead a round well now; and what keeps it from that, by name. */
  readonly readyToLead: boolean
  readonly notReadyToLead: readonly string[]
  /** Protocol version of the head block. */
  readonly protocolVersion: number
  /** The next upgrade that the network file schedules, and whether this node's software knows its version. */
  readonly upgrade: { readonly version: number; readonly activationHeight: Height; readonly known: boolean } | null
  readonly height: Height
  readonly round: Round
  /** Name of the consensus step, such as `propose`. */
  readonly step: string
  /** Fee recipient of the round's proposer. */
  readonly proposer: Address | null
  readonly setId: SetId
  readonly peers: number
  readonly latestBatch: BatchIndex
  readonly committedBatch: BatchIndex
  readonly finalizedBatch: BatchIndex
  readonly l1Origin: { readonly number: L1BlockNumber; readonly hash: L1BlockHash }
  /** Whether votes are signed, or why not; null on a node without a consensus key. */
  readonly signing: 'active' | 'listening' | 'signer-away' | 'KEY_IN_USE_ELSEWHERE' | 'SIGNING_RECORD_BEHIND' | null
}

/** One proof that a sequencer signed two conflicting messages. */
export interface EvidenceInfo {
  readonly evidence: Evidence
  readonly hash: Hash32
  /** Consensus key of the culprit. */
  readonly publicKey: Uint8Array
}

/** Narrows what `morphism_evidence` lists; attestations have no height. */
export interface EvidenceFilter {
  readonly fromHeight?: Height
  readonly publicKey?: Uint8Array
}

/** A connected peer. */
export interface PeerInfo {
  /** libp2p peer id. */
  readonly id: string
  /** The consensus key that vouched for it (BLS12-381 G1, compressed). */
  readonly consensusKey: Uint8Array | null
  /** Fee recipient of the sequencer whose key this is, if it is of the next block's set. */
  readonly sequencer: Address | null
}

/** What the `morphism_` methods ask of the node; what is not known is null. */
export interface MorphismQueries {
  certificateAt(height: Height): Promise<QuorumCertificate | null>
  /** The set that signs the block of this height, and the first height that it signs. */
  sequencerSetAt(height: Height): Promise<{ readonly set: SequencerSet; readonly activeFrom: Height } | null>
  contextAt(height: Height, asker: Asker): Promise<BlockContext | null>
  batch(selector: BatchSelector): Promise<BatchInfo | null>
  nodeStatus(): Promise<NodeStatus>
  /** Kept proofs of contradictory signatures: those of heights from `fromHeight` on, those against one consensus key. */
  evidence(filter: EvidenceFilter): Promise<readonly EvidenceInfo[]>
  peers(): Promise<readonly PeerInfo[]>
  /**
   * Why there is no block now, or for another height how it was decided: plain data whose `sentences` are for people. Its
   * numbers become quantities on the wire.
   */
  explain(height: Height | null): Promise<object>
  /** The accounts that a block changed by this node's own execution, for a block that it refused for its roots too. */
  stateDiffOf(blockHash: BlockHash, asker: Asker): Promise<BlockStateDiff | null>
}
