import type { EVMResult } from '@ethereumjs/evm'
import { Address as EvmAddress } from '@ethereumjs/util'
import { bytesToHex, hexToBytes } from '../../../../base/primitives/bytes.js'
import type { Address, BlockHash, Hash32 } from '../../../../base/primitives/hashes.js'
import type { Height } from '../../../../base/primitives/quantities.js'
import type { AccessListEntry } from '../../../../base/protocol/transaction.js'
import { toStoredLog } from '../engine/block-run.js'
import { requiredGasOf } from '../engine/check-transaction.js'
import { type BlockEnvironment, EvmMachine } from '../engine/evm-environment.js'
import type { CallExecutor, CallOutcome, CallRequest } from '../reading.js'
import { emptyAccount } from '../state/account-record.js'
import type { TrieStateReader } from '../state/trie-state-reader.js'
import { WorkingState } from '../state/working-state.js'
import { applyAuthorizations } from './call-authorizations.js'
import { OverriddenState } from './overridden-state.js'

type Failure = Extract<CallOutcome, { status: 'failed' }>

/** `interrupt` is called often while a call runs, and throws to end it. */
export async function createCallExecutor({
  chainId,
  states,
  hashAt,
  interrupt,
}: {
  readonly chainId: number
  readonly states: TrieStateReader
  readonly hashAt: (height: Height) => BlockHash | null
  readonly interrupt?: () => void
}): Promise<CallExecutor> {
  return new EvmCallExecutor(await EvmMachine.create(chainId, interrupt && { interrupt }), states, hashAt)
}

/** Runs message calls as geth's eth_call does, one at a time, on the state of any height. */
class EvmCallExecutor implements CallExecutor {
  private turn: Promise<unknown> = Promise.resolve()

  constructor(
    private readonly machine: EvmMachine,
    private readonly states: TrieStateReader,
    private readonly hashAt: (height: Height) => BlockHash | null,
    /** Gas that no call exceeds. */
    private readonly gasCap = 50_000_000,
  ) {}

  call(request: CallRequest): Promise<CallOutcome> {
    return this.inTurn(() => this.run(request))
  }

  callWithAccesses(request: CallRequest): Promise<{ outcome: CallOutcome; accessed: readonly AccessListEntry[] }> {
    return this.inTurn(async () => {
      const { journal } = this.machine.vm.evm
      journal.startReportingAccessList()
      try {
        const outcome = await this.run(request)
        return { outcome, accessed: toAccessList(journal.accessList ?? new Map()) }
      } finally {
        delete journal.accessList
      }
    })
  }

  private inTurn<Value>(task: () => Promise<Value>): Promise<Value> {
    const result = this.turn.then(task)
    this.turn = result.catch(() => {})
    return result
  }

  private async run(request: CallRequest): Promise<CallOutcome> {
    const gas = Math.min(request.gas, this.gasCap)
    const free = request.maxFeePerGas === 0n && request.maxPriorityFeePerGas === 0n
    const environment = this.environmentOf(request, free)
    const base = new OverriddenState(this.states.at(request.header.stateRoot), request.overrides ?? {})
    const working = new WorkingState(base)
    const price = priceOf(request, environment.baseFeePerGas, free)
    if (typeof price !== 'bigint') return price
    const refusal = checkFunds(working, request, gas)
    if (refusal !== null) return refusal
    const { authorizationList = [], accessList = [], data, to } = request
    const required = requiredGasOf({
      data,
      isCreation: to === null,
      accessList,
      authorizations: authorizationList.length,
    })
    if (gas < required.intrinsic) return failed(`intrinsic gas too low: have ${gas}, want ${required.intrinsic}`)
    if (gas < required.floor)
      return failed(`insufficient gas for floor data gas cost: have ${gas}, want ${required.floor}`)

    const { vm, state } = this.machine
    state.use(working)
    this.machine.reset()
    const block = this.machine.enter(environment)
    working.startTransaction()
    const sender = working.account(request.from) ?? emptyAccount
    const fee = BigInt(gas) * price
    working.setAccount(request.from, { ...sender, nonce: sender.nonce + 1n, balance: sender.balance - fee })
    const refund = applyAuthorizations({ machine: this.machine, working, request })
    this.warm(request, environment.feeRecipient)
    const result = await vm.evm.runCall({
      block,
      gasPrice: price,
      caller: evmAddress(request.from),
      gasLimit: BigInt(gas - required.intrinsic),
      ...(to === null ? {} : { to: evmAddress(to) }),
      value: request.value,
      data,
      skipNonceIncrement: true,
    })
    withoutNewContracts(vm.evm.journal.accessList, result)
    return outcomeOf(result, { intrinsic: required.intrinsic, floor: required.floor, refund })
  }

  private environmentOf({ header, blockOverrides = {} }: CallRequest, free: boolean): BlockEnvironment {
    return {
      number: blockOverrides.number ?? header.number,
      timestamp: blockOverrides.timestamp ?? header.timestamp,
      feeRecipient: blockOverrides.feeRecipient ?? header.feeRecipient,
      prevRandao: header.prevRandao,
      gasLimit: blockOverrides.gasLimit ?? header.gasLimit,
      // A call that pays nothing sees no base fee, so that fee arithmetic in contracts still holds (geth).
      baseFeePerGas: free ? 0n : (blockOverrides.baseFeePerGas ?? header.baseFeePerGas),
      blockHash: this.hashAt,
    }
  }

  /** Addresses and slots that cost less from the start (EIP-2929, 2930, 3651). */
  private warm({ from, to, accessList = [] }: CallRequest, feeRecipient: Address): void {
    const { evm } = this.machine.vm
    for (const address of evm.precompiles.keys()) evm.journal.addAlwaysWarmAddress(address)
    evm.journal.addAlwaysWarmAddress(from)
    evm.journal.addAlwaysWarmAddress(feeRecipient)
    if (to !== null) evm.journal.addAlwaysWarmAddress(to)
    for (const { address, storageKeys } of accessList) {
      evm.journal.addAlwaysWarmAddress(address)
      for (const key of storageKeys) evm.journal.addAlwaysWarmSlot(address, key)
    }
  }
}

/** What the EVM library reports: addresses and slots in hex without a prefix. */
type ReportedAccesses = Map<string, Set<string>>

/** A contract that the call itself creates costs nothing to touch. */
function withoutNewContracts(accesses: ReportedAccesses | undefined, { createdAddress, execResult }: EVMResult): void {
  for (const created of [createdAddress?.toString(), ...(execResult.createdAddresses ?? [])]) {
    const address = created?.slice(2)
    if (address !== undefined && accesses?.get(address)?.size === 0) accesses.delete(address)
  }
}

function toAccessList(accesses: ReportedAccesses): AccessListEntry[] {
  return [...accesses].map(
    ([address, slots]): AccessListEntry => ({
      address: `0x${address}` as Address,
      storageKeys: [...slots].map((slot): Hash32 => `0x${slot.padStart(64, '0')}`),
    }),
  )
}

const evmAddress = (address: Address) => new EvmAddress(hexToBytes(address))
const failed = (message: string): Failure => ({ status: 'failed', message, gasUsed: 0 })

function priceOf(
  { from, maxFeePerGas, maxPriorityFeePerGas }: CallRequest,
  baseFee: bigint,
  free: boolean,
): bigint | Failure {
  if (free) return 0n
  if (maxFeePerGas < maxPriorityFeePerGas)
    return failed(
      `max priority fee per gas higher than max fee per gas: address ${from}, maxPriorityFeePerGas: ${maxPriorityFeePerGas}, maxFeePerGas: ${maxFeePerGas}`,
    )
  if (maxFeePerGas < baseFee)
    return failed(
      `max fee per gas less than block base fee: address ${from}, maxFeePerGas: ${maxFeePerGas}, baseFee: ${baseFee}`,
    )
  const room = maxFeePerGas - baseFee
  return baseFee + (maxPriorityFeePerGas < room ? maxPriorityFeePerGas : room)
}

function checkFunds(working: WorkingState, { from, maxFeePerGas, value }: CallRequest, gas: number): Failure | null {
  const balance = working.account(from)?.balance ?? 0n
  const wanted = BigInt(gas) * maxFeePerGas + value
  if (balance >= wanted) return null
  return failed(`insufficient funds for gas * price + value: address ${from} have ${balance} want ${wanted}`)
}

function outcomeOf(
  { execResult, createdAddress }: EVMResult,
  { intrinsic, floor, refund }: { intrinsic: number; floor: number; refund: number },
): CallOutcome {
  const spent = intrinsic + Number(execResult.executionGasUsed)
  const refunded = Math.min(refund + Number(execResult.gasRefund ?? 0n), Math.floor(spent / 5))
  const gasUsed = Math.max(spent - refunded, floor)
  const error = execResult.exceptionError?.error
  if (error === undefined)
    return {
      status: 'returned',
      data: execResult.returnValue,
      gasUsed,
      logs: (execResult.logs ?? []).map(toStoredLog),
      createdAddress: createdAddress === undefined ? null : bytesToHex(createdAddress.bytes),
    }
  if (error === 'revert') return { status: 'reverted', data: execResult.returnValue, gasUsed }
  return { status: 'failed', message: gethMessage(error), gasUsed }
}

function gethMessage(error: string): string {
  // The library adds where it happened.
  if (error.startsWith('invalid JUMP')) return 'invalid jump destination'
  return gethMessages[error] ?? error
}

/** geth's texts for what the EVM library calls otherwise. */
const gethMessages: Readonly<Record<string, string>> = {
  'static state change': 'write protection',
  'create collision': 'contract address collision',
  'code store out of gas': 'contract creation code storage out of gas',
  'code size to deposit exceeds maximum code size': 'max code size exceeded',
  'initcode exceeds max initcode size': 'max initcode size exceeded',
  'attempting to deploy code starting with 0xEF': 'invalid code: must not begin with 0xef',
  'value out of range': 'return data out of bounds',
}
