import { privateKeyToAccount } from 'viem/accounts'
import { parseBlsPublicKey } from '../../base/crypto/bls.js'
import { keccak256Hex } from '../../base/crypto/keccak.js'
import { toJson } from '../../base/encoding/json.js'
import { hexToBytes } from '../../base/primitives/bytes.js'
import { type Address, type TransactionHash, zeroHash } from '../../base/primitives/hashes.js'
import { InvariantError } from '../../base/primitives/invariant.js'
import { ok, refuse } from '../../base/primitives/result.js'
import { genesisBatchHeader } from '../../base/protocol/batch-header.js'
import type { Block } from '../../base/protocol/block.js'
import { contextHash, emptyInboxRoot } from '../../base/protocol/block-context.js'
import { emptyRequestsHash, emptyTrieRoot, headerHash } from '../../base/protocol/block-header.js'
import { makeSequencerSet } from '../../base/protocol/sequencer-set.js'
import { decodeTransaction, recoverSender } from '../../base/protocol/transaction.js'
import { createEthQueries } from '../../io/execution/embedded/queries/eth-queries.js'
import { logsBloom } from '../../io/execution/embedded/queries/log-bloom.js'
import { logToJson } from '../../io/execution/embedded/queries/receipt-json.js'
import type { StoredReceipt } from '../../io/execution/embedded/reading.js'
import { decodeReceiptAt, encodeReceipts } from '../../io/execution/embedded/store/stored-receipt.js'
import type { Asker, HeadChange } from '../../io/execution/execution-client.js'
import { silentLogger } from '../../io/telemetry/logger.js'
import { silentMetrics } from '../../io/telemetry/metrics.js'
import type { Clock } from '../../io/time/clock.js'
import { systemClock } from '../../io/time/system-clock.js'
import type { EvidenceFilter, EvidenceInfo } from './morphism-queries.js'
import type { PooledTransaction, RpcPorts } from './rpc-ports.js'

/** Chain id of the fake node. */
export const chainId = 5
/** An account whose code always reverts. */
export const token = `0x${'aa'.repeat(20)}` as Address
/** Key of the only wallet. */
export const account = privateKeyToAccount(`0x${'11'.repeat(32)}`)
const gwei = 1_000_000_000n
/** The generator of G1: a valid public key. */
export const blsGenerator =
  '0x97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb'

const sequencerSet = makeSequencerSet(2, [
  {
    operator: token,
    submitter: token,
    publicKey: parseBlsPublicKey(hexToBytes(blsGenerator))!,
    power: 9n,
    feeRecipient: token,
  },
])

/** A chain in memory whose blocks hold one transaction each; every transaction logs once. */
export class FakeNode {
  readonly blocks: Block[] = []
  readonly receipts: StoredReceipt[][] = []
  readonly pool = new Map<TransactionHash, PooledTransaction>()
  private readonly headHandlers = new Set<(change: HeadChange) => void>()
  private readonly pendingHandlers = new Set<(pooled: readonly PooledTransaction[]) => void>()
  /** Answers of eth_call wait for this. */
  callGate: Promise<void> = Promise.resolve()
  callsUnderWay = 0
  /** What the execution client answers to `morphism_` methods waits for this. */
  morphismGate: Promise<void> = Promise.resolve()
  readonly morphismAskers: Asker[] = []
  answeredCalls = 0
  abortedCalls = 0
  /** What eth_call returns; the data of the call when null. */
  callResult: Uint8Array | null = null
  syncing: { startingBlock: number; currentBlock: number; highestBlock: number } | null = null

  constructor(private readonly clock: Clock = systemClock) {
    this.mine([])
  }

  evidence: readonly EvidenceInfo[] = []
  /** What the evidence was asked for with last. */
  evidenceFilter: EvidenceFilter | null = null

  mine(pooled: readonly PooledTransaction[]): void {
    const number = this.blocks.length
    const receipts = pooled.map(
      ({ sender, raw }, index): StoredReceipt => ({
        sender,
        succeeded: true,
        gasUsed: 21_000,
        cumulativeGasUsed: 21_000 * (index + 1),
        effectiveGasPrice: 2n * gwei,
        contractAddress: null,
        logs: [{ address: token, topics: [zeroHash], data: raw }],
      }),
    )
    const context = {
      version: 1,
      setId: 1,
      proposerIndex: 0,
      timestampMs: 0,
      l1OriginNumber: 1,
      l1OriginHash: zeroHash,
      messagesConsumed: 0,
      inboxRoot: emptyInboxRoot,
    }
    const header = {
      parentHash: this.blocks.at(-1)?.hash ?? zeroHash,
      feeRecipient: token,
      stateRoot: emptyTrieRoot,
      transactionsRoot: emptyTrieRoot,
      receiptsRoot: emptyTrieRoot,
      logsBloom: logsBloom(receipts.flatMap(({ logs }) => logs)),
      number,
      gasLimit: 30_000_000,
      gasUsed: 21_000 * pooled.length,
      timestamp: 1_700_000_000 + number,
      prevRandao: zeroHash,
      baseFeePerGas: gwei,
      withdrawalsRoot: emptyTrieRoot,
      parentBeaconBlockRoot: contextHash(context),
      requestsHash: emptyRequestsHash,
    }
    const transactions = pooled.map(({ raw }) => raw)
    const block: Block = { hash: headerHash(header), header, context, transactions, withdrawals: [] }
    this.blocks.push(block)
    this.receipts.push(receipts)
    for (const { hash } of pooled) this.pool.delete(hash)
    const logs = receipts.flatMap((receipt, transactionIndex) =>
      receipt.logs.map(log =>
        logToJson(log, {
          header,
          blockHash: block.hash,
          transactionHash: pooled[transactionIndex]!.hash,
          transactionIndex,
          logIndex: transactionIndex,
        }),
      ),
    )
    for (const handler of this.headHandlers) handler({ block, touched: [], logs })
  }

  /** Tells that these became executable. */
  announce(pooled: readonly PooledTransaction[]): void {
    for (const handler of this.pendingHandlers) handler(pooled)
  }

  /** Mines what waits. */
  mineAll(): void {
    this.mine([...this.pool.values()])
  }

  private readonly queries = createEthQueries({
    chain: {
      heads: () => ({ head: this.blocks.at(-1)!.header, safe: 0, finalized: 0 }),
      hashAt: height => this.blocks[height]?.hash ?? null,
      headerAt: height => this.blocks[height]?.header ?? null,
      logsBloomAt: height => {
        const block = this.blocks[height]
        return block ? hexToBytes(block.header.logsBloom) : null
      },
      blockAt: height => this.blocks[height] ?? null,
      heightOf: hash => this.blocks.find(block => block.hash === hash)?.header.number ?? null,
      receiptsAt: height => this.receipts[height] ?? null,
      outcomesAt: height => this.receipts[height] ?? null,
      receiptAt: (height, index) => decodeReceiptAt(encodeReceipts(this.receipts[height] ?? []), index),
      transactionPosition: hash => {
        for (const { header, transactions } of this.blocks) {
          const index = transactions.findIndex(raw => keccak256Hex(raw) === hash)
          if (index >= 0) return { height: header.number, index }
        }
        return null
      },
    },
    state: {
      balance: () => 10n ** 18n,
      nonce: () => this.blocks.reduce((sum, block) => sum + block.transactions.length, 0),
      code: () => new Uint8Array(0),
      storage: () => zeroHash,
      proof: () => {
        throw new InvariantError('no test asks for a proof')
      },
    },
    calls: {
      call: async (request, signal) => {
        signal?.addEventListener('abort', () => this.abortedCalls++)
        this.callsUnderWay++
        await this.callGate
        this.callsUnderWay--
        this.answeredCalls++
        return request.to === token
          ? { status: 'reverted', data: new Uint8Array(0), gasUsed: 1 }
          : {
              status: 'returned',
              data: this.callResult ?? request.data,
              gasUsed: 21_000,
              logs: [],
              createdAddress: null,
            }
      },
      callWithAccesses: () => {
        throw new InvariantError('no test asks for an access list')
      },
    },
    chainId,
  })

  private passMorphismGate(asker: Asker): Promise<void> {
    this.morphismAskers.push(asker)
    return this.morphismGate
  }

  /** Handlers that servers have not taken back. */
  listeners(): number {
    return this.headHandlers.size + this.pendingHandlers.size
  }

  ports(): RpcPorts {
    const subscribe = <Handler>(handlers: Set<Handler>, handler: Handler) => {
      handlers.add(handler)
      return () => void handlers.delete(handler)
    }
    return {
      execution: {
        request: (method, params, asker) => this.queries.request(method, params, asker?.signal),
        requestText: async (method, params, asker) => toJson(await this.queries.request(method, params, asker?.signal)),
      },
      heads: { onHead: handler => subscribe(this.headHandlers, handler) },
      mempool: {
        addRaw: async raw => {
          if (raw.length < 50) return refuse({ code: -32000, message: 'typed transaction too short' })
          const transaction = decodeTransaction(raw)
          const { hash, nonce } = transaction
          const pooled = { raw, hash, nonce, sender: recoverSender(transaction)! }
          if (this.pool.has(hash)) return refuse({ code: -32000, message: 'already known' })
          this.pool.set(hash, pooled)
          this.announce([pooled])
          return ok(hash)
        },
        pendingNonce: async () => 7,
        transaction: hash => this.pool.get(hash) ?? null,
        fate: hash => (this.pool.has(hash) ? { place: 'queued', sentence: 'It waits.' } : null),
        content: () => {
          const pooled = [...this.pool.values()]
          const ofSender = (sender: Address) => pooled.filter(item => item.sender === sender)
          return new Map(pooled.map(({ sender }) => [sender, { pending: ofSender(sender), queued: [] }]))
        },
        contentFrom: () => ({ pending: [...this.pool.values()], queued: [] }),
        status: () => ({ pending: this.pool.size, queued: 0 }),
        onPending: handler => subscribe(this.pendingHandlers, handler),
      },
      network: { peerCount: () => 3, syncing: () => this.syncing },
      morphism: {
        certificateAt: async height =>
          height === 0
            ? null
            : { height, round: 1, blockHash: zeroHash, setId: 2, absent: 5n, signature: new Uint8Array(96).fill(7) },
        sequencerSetAt: async height => (height === 0 ? null : { set: sequencerSet, activeFrom: 1 }),
        contextAt: async (height, asker) => {
          await this.passMorphismGate(asker)
          return this.blocks[height]?.context ?? null
        },
        batch: async selector =>
          selector === 9
            ? null
            : {
                header: genesisBatchHeader({ blockHash: zeroHash, stateRoot: zeroHash }),
                batchHash: zeroHash,
                certificate: { absent: 1n, signature: new Uint8Array(96) },
                status: 'committed',
                l1TransactionHash: zeroHash,
                l1BlockNumber: 17,
              },
        evidence: async filter => {
          this.evidenceFilter = filter
          return this.evidence
        },
        peers: async () => [
          {
            id: '12D3KooWSequencer',
            consensusKey: new Uint8Array(48).fill(1),
            sequencer: `0x${'33'.repeat(20)}` as const,
          },
          { id: '12D3KooWFull', consensusKey: null, sequencer: null },
        ],
        nodeStatus: async () => ({
          role: 'full',
          version: '0.1.0',
          ready: true,
          syncing: false,
          readyToLead: false,
          notReadyToLead: ['NOT_A_SEQUENCER'],
          protocolVersion: 1,
          upgrade: { version: 2, activationHeight: 100, known: true },
          height: 20,
          round: 0,
          step: 'propose',
          proposer: null,
          setId: 1,
          peers: 3,
          latestBatch: 3,
          committedBatch: 2,
          finalizedBatch: 1,
          l1Origin: { number: 255, hash: zeroHash },
          signing: null,
        }),
        explain: async height => ({
          reason: 'NO_WORK',
          sentences: ['No work.'],
          height: height ?? 21,
          power: [3n],
          none: null,
        }),
        stateDiffOf: async (blockHash, asker) => {
          await this.passMorphismGate(asker)
          if (blockHash === zeroHash) return null
          return {
            blockHash,
            height: 20,
            claimedStateRoot: zeroHash,
            computedStateRoot: zeroHash,
            accounts: [{ address: token, nonce: 1, balance: 16n, codeHash: zeroHash, storageRoot: zeroHash }],
            changed: 1,
          }
        },
      },
      clock: this.clock,
      logger: silentLogger,
      metrics: silentMetrics,
    }
  }
}
