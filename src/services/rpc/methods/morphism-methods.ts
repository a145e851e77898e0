import { blsPublicKeyLength } from '../../../base/crypto/bls.js'
import { bytesToHex } from '../../../base/primitives/bytes.js'
import type { Height } from '../../../base/primitives/quantities.js'
import type { BatchHeader } from '../../../base/protocol/batch-header.js'
import { type BlockContext, contextHash } from '../../../base/protocol/block-context.js'
import { accusedOf, encodeEvidence } from '../../../base/protocol/evidence.js'
import type { QuorumCertificate } from '../../../base/protocol/quorum-certificate.js'
import type { SequencerSet } from '../../../base/protocol/sequencer-set.js'
import { prevote } from '../../../base/protocol/vote.js'
import { readBlockNumberOrHash } from '../../../io/execution/embedded/queries/block-selector.js'
import { readBytes, readHash, readSafeUint, toQuantity } from '../../../io/execution/embedded/queries/hex-arguments.js'
import {
  ArgumentError,
  ArgumentFields,
  type ArgumentReader,
} from '../../../io/execution/embedded/queries/rpc-argument.js'
import type {
  BatchInfo,
  BatchSelector,
  EvidenceFilter,
  EvidenceInfo,
  MorphismQueries,
  NodeStatus,
} from '../morphism-queries.js'
import type { CallContext, RpcCall, RpcMethod, RpcMethods } from '../rpc-method.js'
import type { TransactionPool } from '../rpc-ports.js'
import type { AskExecution } from './execution-methods.js'

/** `morphism_`: what consensus adds to the chain (protocol.md section 9). */
export function morphismMethods({
  morphism,
  mempool,
  ask,
}: {
  morphism: MorphismQueries
  mempool: Pick<TransactionPool, 'fate'>
  ask: Pick<AskExecution, 'value' | 'within'>
}): RpcMethods {
  const atBlock =
    <Found>(
      find: (height: Height, context: CallContext) => Promise<Found | null>,
      show: (found: Found) => unknown,
    ): RpcMethod =>
    async call => {
      const height = await heightOf(call, ask)
      const found = height === null ? null : await find(height, call.context)
      return found === null ? null : show(found)
    }
  return {
    morphism_getCertificate: atBlock(height => morphism.certificateAt(height), certificateToJson),
    morphism_sequencerSet: atBlock(height => morphism.sequencerSetAt(height), sequencerSetToJson),
    morphism_getContext: atBlock(
      (height, context) => ask.within(context, asker => morphism.contextAt(height, asker)),
      contextToJson,
    ),
    async morphism_getBatch({ args }) {
      const selector = args.required(readBatchSelector)
      args.end()
      const info = await morphism.batch(selector)
      return info && batchToJson(info)
    },
    async morphism_nodeStatus({ args }) {
      args.end()
      return nodeStatusToJson(await morphism.nodeStatus())
    },
    async morphism_evidence({ args }) {
      const filter = args.optional(readEvidenceFilter) ?? {}
      args.end()
      return (await morphism.evidence(filter)).map(evidenceToJson)
    },
    async morphism_peers({ args }) {
      args.end()
      return (await morphism.peers()).map(({ id, consensusKey, sequencer }) => ({
        id,
        consensusKey: consensusKey && bytesToHex(consensusKey),
        sequencer,
      }))
    },
    async morphism_explain({ args }) {
      const height = args.optional(readSafeUint)
      args.end()
      return withQuantities(await morphism.explain(height ?? null))
    },
    // The pool is asked first and answers last, as for eth_getTransactionByHash.
    async morphism_explainTransaction({ args, params, context }) {
      const hash = args.required(readHash)
      args.end()
      const fate = mempool.fate(hash)
      const mined = (await ask.value('eth_getTransactionByHash', params, context)) as { blockNumber: string } | null
      if (mined) return { place: 'included', sentence: `It is in block ${Number(mined.blockNumber)}.` }
      return fate
    },
    async morphism_stateDiff({ args, context }) {
      const blockHash = args.required(readHash)
      args.end()
      return withQuantities(await ask.within(context, asker => morphism.stateDiffOf(blockHash, asker)))
    },
  }
}

/** Plain data as JSON-RPC shows it: every number a quantity. */
function withQuantities(value: unknown): unknown {
  if (typeof value === 'number' || typeof value === 'bigint') return toQuantity(value)
  if (Array.isArray(value)) return value.map(withQuantities)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, withQuantities(entry)]))
}

const readBatchSelector: ArgumentReader<BatchSelector> = value =>
  value === 'latest' || value === 'committed' || value === 'finalized' ? value : readSafeUint(value)

const readEvidenceFilter: ArgumentReader<EvidenceFilter> = value => {
  const fields = ArgumentFields.of(value, 'EvidenceFilter')
  const unknown = fields.names().find(name => name !== 'fromHeight' && name !== 'member')
  if (unknown) throw new ArgumentError(`unknown field '${unknown}'`)
  const fromHeight = fields.optional('fromHeight', readSafeUint)
  const publicKey = fields.optional('member', readBytes)
  if (publicKey && publicKey.length !== blsPublicKeyLength)
    throw new ArgumentError(`member has ${publicKey.length} bytes, want the ${blsPublicKeyLength} of a consensus key`)
  return { ...(fromHeight === undefined ? {} : { fromHeight }), ...(publicKey ? { publicKey } : {}) }
}

async function heightOf({ args, context }: RpcCall, ask: Pick<AskExecution, 'value'>): Promise<Height | null> {
  const selector = args.required(readBlockNumberOrHash)
  args.end()
  if (selector.by === 'number') return selector.number
  const [method, name] =
    selector.by === 'hash' ? ['eth_getBlockByHash', selector.hash] : ['eth_getBlockByNumber', selector.tag]
  const block = (await ask.value(method, [name, false], context)) as { number: string } | null
  return block && Number(block.number)
}

function certificateToJson({ height, round, blockHash, setId, absent, signature }: QuorumCertificate) {
  return {
    height: toQuantity(height),
    round: toQuantity(round),
    blockHash,
    setId: toQuantity(setId),
    absent: toQuantity(absent),
    signature: bytesToHex(signature),
  }
}

function sequencerSetToJson({ set, activeFrom }: { set: SequencerSet; activeFrom: Height }) {
  return {
    setId: toQuantity(set.setId),
    activeFrom: toQuantity(activeFrom),
    totalPower: toQuantity(set.totalPower),
    members: set.members.map(({ index, operator, publicKey, power, feeRecipient }) => ({
      index: toQuantity(index),
      operator,
      publicKey: bytesToHex(publicKey.bytes),
      power: toQuantity(power),
      feeRecipient,
    })),
  }
}

function contextToJson(context: BlockContext) {
  return {
    version: toQuantity(context.version),
    setId: toQuantity(context.setId),
    proposerIndex: toQuantity(context.proposerIndex),
    timestampMs: toQuantity(context.timestampMs),
    l1OriginNumber: toQuantity(context.l1OriginNumber),
    l1OriginHash: context.l1OriginHash,
    messagesConsumed: toQuantity(context.messagesConsumed),
    inboxRoot: context.inboxRoot,
    hash: contextHash(context),
  }
}

function batchToJson({ header, batchHash, certificate, status, l1TransactionHash, l1BlockNumber }: BatchInfo) {
  return {
    header: batchHeaderToJson(header),
    batchHash,
    certificate: certificate && {
      absent: toQuantity(certificate.absent),
      signature: bytesToHex(certificate.signature),
    },
    status,
    l1TransactionHash,
    l1BlockNumber: l1BlockNumber === null ? null : toQuantity(l1BlockNumber),
  }
}

function batchHeaderToJson(header: BatchHeader) {
  return {
    version: toQuantity(header.version),
    batchIndex: toQuantity(header.batchIndex),
    parentBatchHash: header.parentBatchHash,
    setId: toQuantity(header.setId),
    firstBlock: toQuantity(header.firstBlock),
    lastBlock: toQuantity(header.lastBlock),
    lastBlockHash: header.lastBlockHash,
    postStateRoot: header.postStateRoot,
    withdrawalRoot: header.withdrawalRoot,
    messagesConsumed: toQuantity(header.messagesConsumed),
    messagesRollingHash: header.messagesRollingHash,
    timestamp: toQuantity(header.timestamp),
    blobHashesHash: header.blobHashesHash,
  }
}

function nodeStatusToJson(status: NodeStatus) {
  return {
    role: status.role,
    version: status.version,
    ready: status.ready,
    syncing: status.syncing,
    readyToLead: status.readyToLead,
    notReadyToLead: status.notReadyToLead,
    protocolVersion: toQuantity(status.protocolVersion),
    upgrade: status.upgrade && {
      version: toQuantity(status.upgrade.version),
      activationHeight: toQuantity(status.upgrade.activationHeight),
      known: status.upgrade.known,
    },
    height: toQuantity(status.height),
    round: toQuantity(status.round),
    step: status.step,
    proposer: status.proposer,
    setId: toQuantity(status.setId),
    peers: toQuantity(status.peers),
    latestBatch: toQuantity(status.latestBatch),
    committedBatch: toQuantity(status.committedBatch),
    finalizedBatch: toQuantity(status.finalizedBatch),
    l1Origin: { number: toQuantity(status.l1Origin.number), hash: status.l1Origin.hash },
    signing: status.signing,
  }
}

/** `raw` is the encoding that `morphism forensics` reads and that spec/evidence.md describes. */
function evidenceToJson({ evidence, hash, publicKey }: EvidenceInfo) {
  const { kind, first, second } = evidence
  return {
    kind,
    hash,
    member: { index: toQuantity(accusedOf(evidence)), publicKey: bytesToHex(publicKey) },
    ...(kind === 'duplicate-attestation' ? { setId: toQuantity(evidence.setId) } : {}),
    first: signedToJson(first),
    second: signedToJson(second),
    raw: bytesToHex(encodeEvidence(evidence)),
  }
}

function signedToJson(message: EvidenceInfo['evidence']['first']) {
  const signature = bytesToHex(message.signature)
  if ('batchHash' in message)
    return { batchIndex: toQuantity(message.batchIndex), batchHash: message.batchHash, signature }
  const { height, round, blockHash } = message
  const place = { height: toQuantity(height), round: toQuantity(round) }
  return 'step' in message
    ? { ...place, step: message.step === prevote ? 'prevote' : 'precommit', blockHash, signature }
    : { ...place, validRound: message.validRound < 0 ? null : toQuantity(message.validRound), blockHash, signature }
}
