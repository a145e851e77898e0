import { encodeFunctionData } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { blsSignatureToEip2537 } from '../../../base/crypto/bls.js'
import { bytesToHex, type Hex, hexToBytes } from '../../../base/primitives/bytes.js'
import type { Address } from '../../../base/primitives/hashes.js'
import { invariant } from '../../../base/primitives/invariant.js'
import type { Logger } from '../../telemetry/logger.js'
import type { Clock } from '../../time/clock.js'
import { rollupAbi } from '../contract-abis.js'
import type {
  BatchRange,
  CommitBatchArguments,
  ContractRefusal,
  L1Submitter,
  L1TransactionOutcome,
} from '../l1-client.js'
import { majorityOf } from '../quorum/l1-quorum.js'
import { createL1Rpc, type L1Endpoint } from '../rpc/l1-rpc.js'
import { createL1TransactionSender, type L1TransactionSender } from './l1-transaction-sender.js'
import { createQuorumSubmitterRpc, sendTimeoutMs } from './quorum-submitter-rpc.js'
import { createViemSubmitterRpc, type SubmitterRpc } from './submitter-rpc.js'

export interface ViemL1SubmitterConfig {
  /** One is believed; several are asked by quorum. */
  readonly rpcUrls: readonly string[]
  /** Endpoints that must agree, more than half of them; the least such number unless told. */
  readonly quorum?: number
  readonly chainId: number
  readonly rollup: Address
  /** The submitter's key, 32 bytes. */
  readonly privateKey: Hex
  /** The most that a transaction may cost, in wei; 1 ether unless told. */
  readonly feeCap?: bigint
  /** 3 unless told. */
  readonly stuckAfterBlocks?: number
  /** 6 unless told. */
  readonly maxBumps?: number
  /** 1,000 unless told. */
  readonly pollMs?: number
}

/** As geth caps what is sent through its RPC (`--rpc.txfeecap`). */
const defaultFeeCap = 10n ** 18n
/** commitBatch takes 205 k at no absent member, 300 k at 66 of 200 absent; a missed turn adds 25 k. */
const commitGasLimit = 1_000_000n
/** Twice what a final batch takes, one event and one read, and what the transaction takes besides. */
const finalizeGasLimit = ({ first, last }: BatchRange): bigint => 100_000n + 10_000n * BigInt(last - first + 1)

/** Sends commitBatch and finalizeBatch from one account. */
export function createViemL1Submitter({
  config,
  ports,
}: {
  config: ViemL1SubmitterConfig
  ports: { clock: Clock; logger: Logger }
}): L1Submitter {
  const account = privateKeyToAccount(config.privateKey)
  const { chainId, rollup, feeCap = defaultFeeCap, stuckAfterBlocks = 3, maxBumps = 6, pollMs = 1_000 } = config
  const address = account.address.toLowerCase() as Address
  const rpc = createRpc({ config, address, clock: ports.clock })
  const sender = createL1TransactionSender({
    config: { chainId, feeCap, stuckAfterBlocks, maxBumps, pollMs, maxFailures: 20 },
    ports: { ...ports, account, rpc },
  })
  return new ViemL1Submitter(address, rollup, rpc, sender)
}

function createRpc({
  config: { rpcUrls, rollup, quorum = majorityOf(rpcUrls.length) },
  address,
  clock,
}: {
  config: ViemL1SubmitterConfig
  address: Address
  clock: Clock
}): SubmitterRpc {
  const rpcOf = (endpoint: L1Endpoint) =>
    createViemSubmitterRpc({
      client: createL1Rpc(endpoint),
      rpcUrl: endpoint.rpcUrl,
      account: address,
      contract: rollup,
    })
  const [first] = rpcUrls
  invariant(first !== undefined, 'a submitter needs an L1 endpoint')
  if (rpcUrls.length === 1) return rpcOf({ rpcUrl: first })
  // What is to be answered sooner has its limit from the quorum.
  const endpoints = rpcUrls.map(rpcUrl => rpcOf({ rpcUrl, requestTimeoutMs: sendTimeoutMs, retries: 0 }))
  return createQuorumSubmitterRpc({ endpoints, quorum, clock })
}

class ViemL1Submitter implements L1Submitter {
  constructor(
    readonly address: Address,
    private readonly rollup: Address,
    private readonly rpc: SubmitterRpc,
    private readonly sender: L1TransactionSender,
  ) {}

  wouldCommit(args: CommitBatchArguments): Promise<ContractRefusal | null> {
    const blobVersionedHashes = args.blobs.map(({ versionedHash }) => versionedHash)
    return this.rpc.refusal({ data: commitCall(args), gasLimit: commitGasLimit, blobVersionedHashes })
  }

  wouldFinalize(batches: BatchRange): Promise<ContractRefusal | null> {
    const gasLimit = finalizeGasLimit(batches)
    return this.rpc.refusal({ data: finalizeCall(batches), gasLimit, blobVersionedHashes: [] })
  }

  commitBatch(args: CommitBatchArguments, signal?: AbortSignal): Promise<L1TransactionOutcome> {
    return this.sender.send(
      { to: this.rollup, data: hexToBytes(commitCall(args)), gasLimit: commitGasLimit, blobs: args.blobs },
      signal,
    )
  }

  finalizeBatch(batches: BatchRange, signal?: AbortSignal): Promise<L1TransactionOutcome> {
    const gasLimit = finalizeGasLimit(batches)
    return this.sender.send({ to: this.rollup, data: hexToBytes(finalizeCall(batches)), gasLimit, blobs: [] }, signal)
  }
}

function commitCall({ header, absent, signature }: CommitBatchArguments): Hex {
  return encodeFunctionData({
    abi: rollupAbi,
    functionName: 'commitBatch',
    args: [
      {
        ...header,
        batchIndex: BigInt(header.batchIndex),
        setId: BigInt(header.setId),
        firstBlock: BigInt(header.firstBlock),
        lastBlock: BigInt(header.lastBlock),
        messagesConsumed: BigInt(header.messagesConsumed),
        timestamp: BigInt(header.timestamp),
      },
      absent,
      bytesToHex(blsSignatureToEip2537(signature)),
    ],
  })
}

function finalizeCall({ last }: BatchRange): Hex {
  return encodeFunctionData({ abi: rollupAbi, functionName: 'finalizeBatch', args: [BigInt(last)] })
}
