import type { PrivateKeyAccount } from 'viem/accounts'
import type { Address, Hash32 } from '../../../base/primitives/hashes.js'
import type { L1BlockNumber } from '../../../base/primitives/quantities.js'
import type { Logger } from '../../telemetry/logger.js'
import { type Clock, pause } from '../../time/clock.js'
import type { L1TransactionOutcome } from '../l1-client.js'
import { L1Error } from '../l1-error.js'
import { type L1Call, type L1Fees, signL1Transaction } from './l1-transaction.js'

/** What the sender needs of an L1 node. All throw L1Error. */
export interface SenderRpc {
  /** Number of transactions of the account in blocks. */
  nonce(): Promise<number>
  /** What the next blocks probably cost, in wei. */
  prices(): Promise<{ baseFee: bigint; priorityFee: bigint; blobBaseFee: bigint }>
  blockNumber(): Promise<L1BlockNumber>
  /** Whether the node took the transaction, or why it did not. @throws L1Error also L1_REJECTED */
  send(raw: Uint8Array): Promise<SendAnswer>
  receipt(hash: Hash32): Promise<{ status: 'success' | 'reverted'; l1BlockNumber: L1BlockNumber } | null>
}

/** `other-kind`: the pool holds one of this account with blobs while this has none, or the other way round, and takes no mixture. */
export type SendAnswer = 'taken' | 'underpriced' | 'other-kind' | 'nonce-used'

export interface L1TransactionSenderConfig {
  readonly chainId: number
  /** The most that a transaction may cost, in wei. */
  readonly feeCap: bigint
  /** L1 blocks without the transaction after which the fees are raised. */
  readonly stuckAfterBlocks: number
  /**
   * Times the fees are raised before the sender gives up; it never offers more than 2 ** (maxBumps + 1) times the market's, a
   * fee that is 0 taken for a gwei.
   */
  readonly maxBumps: number
  readonly pollMs: number
  /** Failed requests in a row, with pauses that double from `pollMs` to 10 s, after which a wait for a block is given up. */
  readonly maxFailures: number
}

export interface L1TransactionSenderPorts {
  readonly account: PrivateKeyAccount
  readonly rpc: SenderRpc
  readonly clock: Clock
  readonly logger: Logger
}

/** Sends transactions of one account one after another; raises the fees of one that is stuck. */
export interface L1TransactionSender {
  /** Resolves `pending` when given up, aborted, or when another transaction took the nonce. @throws L1Error also L1_ABOVE_FEE_CAP */
  send(call: L1Call, signal?: AbortSignal): Promise<L1TransactionOutcome>
}

export function createL1TransactionSender(args: {
  config: L1TransactionSenderConfig
  ports: L1TransactionSenderPorts
}): L1TransactionSender {
  return new Sender(args.config, args.ports)
}

const pending: L1TransactionOutcome = { status: 'pending' }
const longestPauseMs = 10_000
/** Milliseconds without a new block of L1 after which a wait is given up. */
const standstillMs = 600_000
/** GAS_PER_BLOB of EIP-4844. */
const gasPerBlob = 131_072n
const gwei = 1_000_000_000n
/** The highest priority fee that is offered at first, where the base fee is not above it. */
const maxTip = 5n * gwei
/** Of a transfer, which is the least that a transaction takes. */
const transferGas = 21_000n

class Sender implements L1TransactionSender {
  private last: Promise<unknown> = Promise.resolve()
  /** A transaction that was given up: while pools hold it, another one with its nonce has to offer more, and be of its kind. */
  private stuck: { nonce: number; fees: L1Fees; call: L1Call } | null = null

  constructor(
    private readonly config: L1TransactionSenderConfig,
    private readonly ports: L1TransactionSenderPorts,
  ) {}

  send(call: L1Call, signal?: AbortSignal): Promise<L1TransactionOutcome> {
    const sent = this.last.then(() => (signal?.aborted ? pending : this.sendNext(call, signal)))
    this.last = sent.catch(() => undefined)
    return sent
  }

  private async sendNext(wanted: L1Call, signal?: AbortSignal): Promise<L1TransactionOutcome> {
    const { account, rpc, logger } = this.ports
    const { chainId, maxBumps, feeCap } = this.config
    let call = wanted
    const nonce = await rpc.nonce()
    // At the market's price first: a pool may have lost what was given up.
    let fees = await this.marketFees()
    const cost = costOf(call, fees)
    if (cost > feeCap)
      throw new L1Error('L1_ABOVE_FEE_CAP', 'an L1 transaction would cost more than the fee cap', { cost, feeCap })
    let isReplacing = false
    // Whatever is answered, some pool may hold it: all are watched.
    const signed = new Map<Hash32, L1Call>()
    for (let bumps = 0; bumps <= maxBumps; bumps++) {
      if (bumps > 0) {
        const market = await this.marketFees()
        // What is replaced may be a blob transaction: doubling satisfies every pool.
        fees = higherFees(market, raisedFees(fees, call.blobs.length > 0 || isReplacing))
        if (isAbove(fees, market, 2n ** BigInt(maxBumps + 1)) || costOf(call, fees) > feeCap) break
        logger.warn('L1 transaction is stuck: fees raised', { nonce, bumps, maxFeePerGas: fees.maxFeePerGas })
      }
      const { raw, hash } = await signL1Transaction({ account, chainId, nonce, fees, call })
      signed.set(hash, call)
      const answer = await rpc.send(raw)
      isReplacing = answer === 'underpriced' || answer === 'other-kind'
      if (isReplacing) {
        if (this.stuck?.nonce === nonce) fees = higherFees(fees, this.stuck.fees)
        if (answer === 'other-kind') call = this.whatBlocks(call, nonce)
        continue
      }
      if (answer === 'taken') this.stuck = { nonce, fees, call }
      const outcome = await this.watch({ hashes: [...signed.keys()], nonce, signal })
      if (outcome)
        return outcome.status !== 'pending' && signed.get(outcome.transactionHash) === wanted ? outcome : pending
    }
    logger.error('L1 transaction given up: not in a block despite raised fees', { nonce, hashes: [...signed.keys()] })
    return pending
  }

  /** What can take the place of a transaction of the other kind: that one itself, or nothing but its nonce. @throws L1Error L1_REJECTED */
  private whatBlocks(call: L1Call, nonce: number): L1Call {
    const { account, logger } = this.ports
    const hasBlobs = call.blobs.length > 0
    const { stuck } = this
    const isKnown = stuck?.nonce === nonce && stuck.call.blobs.length > 0 !== hasBlobs
    if (!isKnown && !hasBlobs)
      throw new L1Error('L1_REJECTED', 'a blob transaction of this account is stuck in the pool of L1', { nonce })
    logger.warn('a stuck L1 transaction of another kind comes first', { nonce, isKnown })
    const to = account.address.toLowerCase() as Address
    return isKnown ? stuck.call : { to, data: new Uint8Array(0), gasLimit: transferGas, blobs: [] }
  }

  /** Follows transactions of one nonce; null when it is time to raise the fees. */
  private async watch({
    hashes,
    nonce,
    signal,
  }: {
    hashes: readonly Hash32[]
    nonce: number
    signal: AbortSignal | undefined
  }): Promise<L1TransactionOutcome | null> {
    const { clock } = this.ports
    const { pollMs, stuckAfterBlocks, maxFailures } = this.config
    let since: L1BlockNumber | null = null
    let usedSince: L1BlockNumber | null = null
    let newest: L1BlockNumber = -1
    let newestMs = clock.nowMs()
    const standsStill = () => clock.nowMs() >= newestMs + standstillMs
    for (let failures = 0; !signal?.aborted; ) {
      try {
        const used = (await this.ports.rpc.nonce()) > nonce
        const found = await this.receiptOf(hashes)
        if (found) return found
        const now = await this.ports.rpc.blockNumber()
        if (now > newest) {
          newest = now
          newestMs = clock.nowMs()
        }
        if (standsStill())
          throw new L1Error('L1_BAD_ANSWER', 'L1 shows no new block', { newest, sinceMs: newestMs, nonce, hashes })
        since ??= now
        // Nodes may count a transaction before they show its receipt, and a reorg may free a nonce: one is lost only when it stays
        // used for some blocks and no receipt comes.
        usedSince = used ? (usedSince ?? now) : null
        if (usedSince !== null && now >= usedSince + stuckAfterBlocks) return pending
        if (usedSince === null && now >= since + stuckAfterBlocks) return null
        failures = 0
      } catch (error) {
        if (!(error instanceof L1Error) || ++failures > maxFailures || standsStill()) throw error
      }
      await pause(clock, Math.min(pollMs * 2 ** failures, longestPauseMs), signal)
    }
    return pending
  }

  private async receiptOf(hashes: readonly Hash32[]): Promise<L1TransactionOutcome | null> {
    for (const transactionHash of hashes) {
      const receipt = await this.ports.rpc.receipt(transactionHash)
      if (receipt) return { ...receipt, transactionHash }
    }
    return null
  }

  /** Room for base fees that double. The priority fee is paid in full: what a node tells is believed up to a bound. */
  private async marketFees(): Promise<L1Fees> {
    const { baseFee, priorityFee, blobBaseFee } = await this.ports.rpc.prices()
    const maxPriorityFeePerGas = lower(priorityFee, higher(maxTip, baseFee))
    return {
      maxFeePerGas: 2n * baseFee + maxPriorityFeePerGas,
      maxPriorityFeePerGas,
      maxFeePerBlobGas: 2n * blobBaseFee + 1n,
    }
  }
}

/** Fees at which pools replace a transaction: twice each for blobs (geth's blobpool), a quarter more otherwise (10 % is asked). */
export function raisedFees(fees: L1Fees, withBlobs: boolean): L1Fees {
  const raise = (fee: bigint) => (withBlobs ? 2n * fee || 1n : fee + fee / 4n + 1n)
  return {
    maxFeePerGas: raise(fees.maxFeePerGas),
    maxPriorityFeePerGas: raise(fees.maxPriorityFeePerGas),
    maxFeePerBlobGas: raise(fees.maxFeePerBlobGas),
  }
}

/** What a call costs at most, in wei. */
function costOf({ gasLimit, blobs }: L1Call, { maxFeePerGas, maxFeePerBlobGas }: L1Fees): bigint {
  return gasLimit * maxFeePerGas + BigInt(blobs.length) * gasPerBlob * maxFeePerBlobGas
}

/** Whether any fee is more than so many times the market's; where that is 0, than so many times a gwei. */
function isAbove(fees: L1Fees, market: L1Fees, times: bigint): boolean {
  const isMore = (fee: bigint, ofMarket: bigint) => fee > times * (ofMarket || gwei)
  return (
    isMore(fees.maxFeePerGas, market.maxFeePerGas) ||
    isMore(fees.maxPriorityFeePerGas, market.maxPriorityFeePerGas) ||
    isMore(fees.maxFeePerBlobGas, market.maxFeePerBlobGas)
  )
}

const higher = (a: bigint, b: bigint) => (a > b ? a : b)
const lower = (a: bigint, b: bigint) => (a < b ? a : b)

function higherFees(a: L1Fees, b: L1Fees): L1Fees {
  return {
    maxFeePerGas: higher(a.maxFeePerGas, b.maxFeePerGas),
    maxPriorityFeePerGas: higher(a.maxPriorityFeePerGas, b.maxPriorityFeePerGas),
    maxFeePerBlobGas: higher(a.maxFeePerBlobGas, b.maxFeePerBlobGas),
  }
}
