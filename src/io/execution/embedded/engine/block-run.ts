import type { Block as EvmBlock } from '@ethereumjs/block'
import type { Log } from '@ethereumjs/evm'
import { type RunTxResult, runTx } from '@ethereumjs/vm'
import { keccak256 } from '../../../../base/crypto/keccak.js'
import { orderedTrieRoot } from '../../../../base/crypto/trie/update-trie.js'
import { encodeRlp } from '../../../../base/encoding/rlp.js'
import { rlpHex, rlpUint } from '../../../../base/encoding/rlp-fields.js'
import { bytesToHex, concatBytes } from '../../../../base/primitives/bytes.js'
import type { Address, BlockHash, ContextHash, Hash32 } from '../../../../base/primitives/hashes.js'
import { MorphismError } from '../../../../base/primitives/morphism-error.js'
import { weiPerGwei } from '../../../../base/primitives/quantities.js'
import type { Transaction } from '../../../../base/protocol/transaction.js'
import type { Withdrawal } from '../../../../base/protocol/withdrawal.js'
import type { StoredLog, StoredReceipt } from '../reading.js'
import { emptyAccount, isDelegation } from '../state/account-record.js'
import type { StateDiff } from '../state/state-diff.js'
import type { StateView } from '../state/state-view.js'
import { WorkingState } from '../state/working-state.js'
import { logToRlp } from '../store/stored-receipt.js'
import { bloomOf, mergeBloom } from './bloom.js'
import { checkAgainstSender, checkTransactionAlone, gasPrices, type Refusal } from './check-transaction.js'
import type { BlockEnvironment, EvmMachine } from './evm-environment.js'
import { toEvmTransaction } from './evm-transaction.js'
import { runClosingCalls, runOpeningCalls, type SystemCallFailure, type SystemCallSite } from './system-calls.js'
import { applyTransfer, isPlainTransfer } from './transfer.js'

/** What the execution of a whole block gives to its header. */
export interface BlockOutcome {
  readonly state: StateDiff
  readonly receipts: readonly StoredReceipt[]
  readonly gasUsed: number
  readonly receiptsRoot: Hash32
  readonly logsBloom: Uint8Array
  readonly requestsHash: Hash32
}

/** One block being executed: open, then transactions one after the other, then finish. */
export class BlockRun {
  private readonly working: WorkingState
  private readonly evmBlock: EvmBlock
  private readonly chainId: bigint
  private readonly blockGasLimit: bigint
  private readonly receipts: StoredReceipt[] = []
  private readonly encodedReceipts: Uint8Array[] = []
  private readonly bloom = new Uint8Array(256)
  private gasUsed = 0

  private constructor(
    private readonly machine: EvmMachine,
    private readonly environment: BlockEnvironment,
    base: StateView,
  ) {
    this.working = new WorkingState(base)
    machine.reset()
    machine.state.use(this.working)
    this.evmBlock = machine.enter(environment)
    this.chainId = machine.vm.common.chainId()
    this.blockGasLimit = BigInt(environment.gasLimit)
  }

  static async open({
    machine,
    environment,
    base,
    context,
    parentHash,
  }: {
    readonly machine: EvmMachine
    readonly environment: BlockEnvironment
    readonly base: StateView
    readonly context: ContextHash
    readonly parentHash: BlockHash
  }): Promise<BlockRun> {
    const run = new BlockRun(machine, environment, base)
    run.limitTime()
    await runOpeningCalls(run.site, { context, parentHash })
    return run
  }

  private get site(): SystemCallSite {
    return { machine: this.machine, block: this.evmBlock, environment: this.environment }
  }

  get gasLeft(): number {
    return this.environment.gasLimit - this.gasUsed
  }

  /** From now on transactions may take so many milliseconds; untold, and in system calls, they take what they take. */
  limitTime(limits?: Parameters<EvmMachine['timeLimit']['start']>[0]): void {
    this.machine.timeLimit.start(limits)
  }

  get isTimeOver(): boolean {
    return this.machine.timeLimit.isOver
  }

  /** Executes the transaction; a refusal leaves everything as it was. */
  async execute(transaction: Transaction, sender: Address): Promise<Refusal | null> {
    const { chainId, blockGasLimit, working } = this
    const { baseFeePerGas } = this.environment
    const alone = checkTransactionAlone(transaction, { chainId, blockGasLimit })
    if (alone !== null) return alone
    if (transaction.gasLimit > BigInt(this.gasLeft))
      return {
        reason: 'no-room',
        detail: `gas limit ${transaction.gasLimit} is above the ${this.gasLeft} left in the block`,
      }
    const account = working.account(sender) ?? emptyAccount
    const isContract = () => !isDelegation(working.code(sender))
    const refusal = checkAgainstSender({ transaction, account, isContract, baseFeePerGas })
    if (refusal !== null) return refusal
    if (isPlainTransfer(transaction, this.machine, working)) {
      const gasUsed = applyTransfer({ transaction, sender, working, environment: this.environment })
      this.keepReceipt({ transaction, sender, gasUsed, succeeded: true, contractAddress: null, logs: [] })
      return null
    }
    return this.runInEvm(transaction, sender)
  }

  /** Credits the withdrawals, makes the closing system calls and computes the roots. */
  async finish(withdrawals: readonly Withdrawal[]): Promise<BlockOutcome | SystemCallFailure> {
    for (const { address, amount } of withdrawals) {
      if (amount === 0n) continue
      const account = this.working.account(address) ?? emptyAccount
      this.working.setAccount(address, { ...account, balance: account.balance + amount * weiPerGwei })
    }
    this.limitTime()
    const closing = await runClosingCalls(this.site)
    if (!('requestsHash' in closing)) return closing
    return {
      state: this.working.finish(),
      receipts: this.receipts,
      gasUsed: this.gasUsed,
      receiptsRoot: bytesToHex(orderedTrieRoot(this.encodedReceipts)),
      logsBloom: this.bloom,
      requestsHash: closing.requestsHash,
    }
  }

  private async runInEvm(transaction: Transaction, sender: Address): Promise<Refusal | null> {
    const { machine, working } = this
    const { timeLimit } = machine
    let result: RunTxResult
    timeLimit.begin()
    working.checkpoint()
    try {
      result = await runTx(machine.vm, {
        tx: toEvmTransaction(transaction, sender, machine.vm.common),
        block: this.evmBlock,
        blockGasUsed: BigInt(this.gasUsed),
        skipHardForkValidation: true,
      })
    } catch (error) {
      working.revert()
      if (error instanceof MorphismError) throw error
      return timeLimit.refusal() ?? { reason: 'invalid', detail: (error as Error).message }
    }
    const refusal = timeLimit.refusal()
    if (refusal !== null) {
      working.revert()
      return refusal
    }
    working.commit()
    const { execResult, totalGasSpent } = result
    this.keepReceipt({
      transaction,
      sender,
      gasUsed: Number(totalGasSpent),
      succeeded: execResult.exceptionError === undefined,
      contractAddress: transaction.to === null ? createdBy(sender, transaction.nonce) : null,
      logs: (execResult.logs ?? []).map(toStoredLog),
    })
    return null
  }

  private keepReceipt({
    transaction,
    sender,
    gasUsed,
    succeeded,
    contractAddress,
    logs,
  }: Pick<StoredReceipt, 'gasUsed' | 'succeeded' | 'contractAddress' | 'logs' | 'sender'> & {
    transaction: Transaction
  }): void {
    this.gasUsed += gasUsed
    const cumulativeGasUsed = this.gasUsed
    const effectiveGasPrice = gasPrices(transaction, this.environment.baseFeePerGas).paid
    this.receipts.push({
      sender,
      succeeded,
      gasUsed,
      cumulativeGasUsed,
      effectiveGasPrice,
      contractAddress,
      logs,
    })
    const bloom = bloomOf(logs)
    mergeBloom(this.bloom, bloom)
    const fields = encodeRlp([rlpUint(succeeded ? 1 : 0), rlpUint(cumulativeGasUsed), bloom, logs.map(logToRlp)])
    this.encodedReceipts.push(transaction.type === 0 ? fields : concatBytes(Uint8Array.of(transaction.type), fields))
  }
}

/** Address of the contract that a transaction creates, whether or not it succeeds. */
function createdBy(sender: Address, nonce: number): Address {
  return bytesToHex(keccak256(encodeRlp([rlpHex(sender), rlpUint(nonce)])).subarray(12))
}

/** A log of the EVM library in the form that is kept. */
export function toStoredLog([address, topics, data]: Log): StoredLog {
  return { address: bytesToHex(address), topics: topics.map(bytesToHex), data }
}
