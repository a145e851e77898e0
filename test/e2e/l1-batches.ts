import { type AbiEvent, decodeFunctionData, encodeFunctionData, type PublicClient, parseEventLogs } from 'viem'
import { rollupAbi } from '../../src/io/l1/contract-abis.js'
import { refusalOf } from '../../src/io/l1/contract-refusal.js'
import { createL1Rpc } from '../../src/io/l1/rpc/l1-rpc.js'
import type { DevnetNode, RunningDevnet } from './running-devnet.js'
import { until } from './running-devnet.js'

type Hex = `0x${string}`
export type CommitCall = Extract<ReturnType<typeof decode>, { functionName: 'commitBatch' }>['args']

const decode = (data: Hex) => decodeFunctionData({ abi: rollupAbi, data })

/** A batch as L1 took it. */
export interface Commit {
  readonly batchIndex: number
  readonly batchHash: Hex
  readonly absent: bigint
  readonly blockNumber: number
  readonly from: Hex
  readonly args: CommitCall
  readonly blobVersionedHashes: readonly Hex[]
}

/** The answer of morphism_getBatch, as far as the tests use it. */
export interface BatchAnswer {
  readonly header: { readonly batchIndex: Hex; readonly lastBlock: Hex }
  readonly batchHash: Hex
  readonly status: string
}

/** L1 as the tests of batches look at it. */
export class L1Batches {
  readonly client: PublicClient
  constructor(private readonly devnet: RunningDevnet) {
    this.client = createL1Rpc({ rpcUrl: devnet.json.l1.rpcUrl })
  }

  async events(eventName: 'BatchCommitted' | 'BatchFinalized' | 'TurnMissed') {
    const logs = await this.client.getLogs({ address: this.devnet.json.contracts.rollup, fromBlock: 0n })
    return parseEventLogs({ abi: [...rollupAbi, turnMissed], logs, eventName })
  }

  /** The batches that were posted, oldest first. */
  async commits(): Promise<Commit[]> {
    const posted = (await this.events('BatchCommitted')).filter(log => 'absent' in log.args && log.args.batchIndex > 0n)
    return Promise.all(
      posted.map(async ({ args, transactionHash }) => {
        const { batchIndex, batchHash, absent } = args as { batchIndex: bigint; batchHash: Hex; absent: bigint }
        const transaction = await this.client.getTransaction({ hash: transactionHash! })
        const call = decode(transaction.input)
        if (call.functionName !== 'commitBatch') throw new TypeError(`not a commit: ${call.functionName}`)
        return {
          batchIndex: Number(batchIndex),
          batchHash,
          absent,
          blockNumber: Number(transaction.blockNumber),
          from: transaction.from,
          args: call.args,
          blobVersionedHashes: transaction.blobVersionedHashes ?? [],
        }
      }),
    )
  }

  /** Waits until L1 has so many batches. */
  async untilCommitted(count: number, limitMs = 90_000): Promise<Commit[]> {
    await until(`batch ${count} on L1`, limitMs, async () => (await this.events('BatchCommitted')).length > count, 250)
    return this.commits()
  }

  /** What L1 would have said to this commit in the state after a block: null or the name of the error. */
  async refusal({
    args,
    from,
    blobVersionedHashes,
    afterBlock,
  }: Pick<Commit, 'args' | 'from' | 'blobVersionedHashes'> & { afterBlock: number }): Promise<string | null> {
    const data = encodeFunctionData({ abi: rollupAbi, functionName: 'commitBatch', args })
    const blobs = blobVersionedHashes.length > 0 ? { blobVersionedHashes } : {}
    const call = { from, to: this.devnet.json.contracts.rollup, data, ...blobs }
    try {
      await this.client.request({ method: 'eth_call', params: [call as never, `0x${afterBlock.toString(16)}`] })
      return null
    } catch (error) {
      const refusal = refusalOf(error)
      if (!refusal) throw error
      return refusal.errorName
    }
  }

  batch(node: DevnetNode, index: number): Promise<BatchAnswer | null> {
    return this.devnet.rpc<BatchAnswer | null>(node, 'morphism_getBatch', [`0x${index.toString(16)}`])
  }
}

const turnMissed = {
  type: 'event',
  name: 'TurnMissed',
  inputs: [
    { name: 'batchIndex', type: 'uint64', indexed: true },
    { name: 'setId', type: 'uint64', indexed: false },
    { name: 'memberIndex', type: 'uint256', indexed: false },
  ],
} as const satisfies AbiEvent
