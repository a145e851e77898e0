import { encodeFunctionData, type PublicClient, TransactionReceiptNotFoundError } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { blsSignatureToEip2537 } from '../../base/crypto/bls.js'
import { bytesToHex, type Hex, hexToBytes } from '../../base/primitives/bytes.js'
import type { Address } from '../../base/primitives/hashes.js'
import type { BatchIndex } from '../../base/primitives/quantities.js'
import type { Logger } from '../telemetry/logger.js'
import type { Clock } from '../time/clock.js'
import { rollupAbi } from './contract-abis.js'
import { refusalOf } from './contract-refusal.js'
import type {
  BlobSidecar,
  CommitBatchArguments,
  ContractRefusal,
  L1Submitter,
  L1TransactionOutcome,
} from './l1-client.js'
import { L1Error } from './l1-error.js'
import { createL1Rpc, type L1Endpoint } from './l1-rpc.js'
import { createL1TransactionSender, type L1TransactionSender, type SenderRpc } from './l1-transaction-sender.js'
import { shortText, toL1Error } from './viem-error.js'

export interface ViemL1SubmitterConfig extends L1Endpoint {
  readonly chainId: number
  readonly rollup: Address
  /** The submitter's key, 32 bytes. */
  readonly privateKey: Hex
  /** 3 unless told. */
  readonly stuckAfterBlocks?: number
  /** 6 unless told. */
  readonly maxBumps?: number
  /** 1,000 unless told. */
  readonly pollMs?: number
}

/** commitBatch takes 205 k at no absent member, 300 k at 66 of 200 absent; a missed turn adds 25 k. */
const commitGasLimit = 1_000_000n
/** A final batch is one event and one read: 5 k; hundreds fit. */
const finalizeGasLimit = 3_000_000n

/** Sends commitBatch and finalizeBatch from one account. */
export function createViemL1Submitter({
  config,
  ports,
}: {
  config: ViemL1SubmitterConfig
  ports: { clock: Clock; logger: Logger }
}): L1Submitter {
  const account = privateKeyToAccount(config.privateKey)
  const client = createL1Rpc(config)
  const { chainId, stuckAfterBlocks = 3, maxBumps = 6, pollMs = 1_000 } = config
  const sender = createL1TransactionSender({
    config: { chainId, stuckAfterBlocks, maxBumps, pollMs, maxFailures: 20 },
    ports: { ...ports, account, rpc: createSenderRpc(client, account.address) },
  })
  return new ViemL1Submitter(account.address.toLowerCase() as Address, config.rollup, client, sender)
}

class ViemL1Submitter implements L1Submitter {
  constructor(
    readonly address: Address,
    private readonly rollup: Address,
    private readonly client: PublicClient,
    private readonly sender: L1TransactionSender,
  ) {}

  wouldCommit(args: CommitBatchArguments): Promise<ContractRefusal | null> {
    return this.wouldAccept(commitCall(args), args.blobs)
  }

  wouldFinalize(batchIndex: BatchIndex): Promise<ContractRefusal | null> {
    return this.wouldAccept(finalizeCall(batchIndex), [])
  }

  commitBatch(args: CommitBatchArguments, signal?: AbortSignal): Promise<L1TransactionOutcome> {
    return this.sender.send(
      { to: this.rollup, data: hexToBytes(commitCall(args)), gasLimit: commitGasLimit, blobs: args.blobs },
      signal,
    )
  }

  finalizeBatch(batchIndex: BatchIndex, signal?: AbortSignal): Promise<L1TransactionOutcome> {
    return this.sender.send(
      { to: this.rollup, data: hexToBytes(finalizeCall(batchIndex)), gasLimit: finalizeGasLimit, blobs: [] },
      signal,
    )
  }

  private async wouldAccept(data: Hex, blobs: readonly BlobSidecar[]): Promise<ContractRefusal | null> {
    const blobFields = blobs.length ? { blobVersionedHashes: blobs.map(blob => blob.versionedHash) } : {}
    try {
      await this.client.request({
        method: 'eth_call',
        params: [{ from: this.address, to: this.rollup, data, ...blobFields } as never, 'latest'],
      })
      return null
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal) return refusal
      throw toL1Error(error, 'eth_call')
    }
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

function finalizeCall(batchIndex: BatchIndex): Hex {
  return encodeFunctionData({ abi: rollupAbi, functionName: 'finalizeBatch', args: [BigInt(batchIndex)] })
}

function createSenderRpc(client: PublicClient, address: Address): SenderRpc {
  const attempt = async <Value>(what: string, request: () => Promise<Value>): Promise<Value> => {
    try {
      return await request()
    } catch (error) {
      throw toL1Error(error, what)
    }
  }
  return {
    nonce: () => attempt('nonce', () => client.getTransactionCount({ address, blockTag: 'latest' })),
    blockNumber: () => attempt('blockNumber', async () => Number(await client.getBlockNumber())),
    prices: () =>
      attempt('prices', async () => {
        const [block, priorityFee, blobBaseFee] = await Promise.all([
          client.getBlock({ blockTag: 'latest' }),
          client.request({ method: 'eth_maxPriorityFeePerGas' }),
          client.getBlobBaseFee(),
        ])
        return { baseFee: block.baseFeePerGas ?? 0n, priorityFee: BigInt(priorityFee), blobBaseFee }
      }),
    send: async raw => {
      try {
        await client.request({ method: 'eth_sendRawTransaction', params: [bytesToHex(raw)] })
        return 'taken'
      } catch (error) {
        return sendAnswer(toL1Error(error, 'eth_sendRawTransaction'))
      }
    },
    receipt: hash =>
      attempt('receipt', async () => {
        try {
          const receipt = await client.getTransactionReceipt({ hash })
          return { status: receipt.status, l1BlockNumber: Number(receipt.blockNumber) }
        } catch (error) {
          if (error instanceof TransactionReceiptNotFoundError) return null
          throw error
        }
      }),
  }
}

/** Reads the refusals of geth, reth, Nethermind, Besu, Erigon and anvil that mean more than no. @throws L1Error the others */
function sendAnswer(error: L1Error): 'taken' | 'underpriced' | 'nonce-used' {
  if (error.code === 'L1_UNREACHABLE') throw error
  const text = `${error.message} ${shortText(error.cause)}`
  if (/already ?known|already imported|known transaction/i.test(text)) return 'taken'
  if (/underpriced|replacement ?not ?allowed/i.test(text)) return 'underpriced'
  if (/nonce (is )?too low|old ?nonce|nonce too old/i.test(text)) return 'nonce-used'
  throw new L1Error('L1_REJECTED', `L1 refused the transaction: ${shortText(error.cause)}`, {}, { cause: error })
}
