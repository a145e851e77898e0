import type { Block as EvmBlock } from '@ethereumjs/block'
import { createEVM, type EVM, type EVMMockBlockchainInterface } from '@ethereumjs/evm'
import { Address as EvmAddress } from '@ethereumjs/util'
import { createVM, type VM } from '@ethereumjs/vm'
import { hexToBytes } from '../../../../base/primitives/bytes.js'
import type { Address, BlockHash, Hash32 } from '../../../../base/primitives/hashes.js'
import type { Height, Wei } from '../../../../base/primitives/quantities.js'
import { emptyState } from '../state/empty-state.js'
import { WorkingState } from '../state/working-state.js'
import { EvmBls } from './evm-bls.js'
import { createCommon } from './evm-common.js'
import { EvmJournal } from './evm-journal.js'
import { EvmState } from './evm-state.js'
import { hastenInterpreter, interruptOften } from './hasten-interpreter.js'
import { limitPrecompiles } from './precompile-limit.js'
import { TimeLimit } from './time-limit.js'

/** What code can see of the block it runs in. */
export interface BlockEnvironment {
  readonly number: Height
  /** Seconds. */
  readonly timestamp: number
  readonly feeRecipient: Address
  readonly prevRandao: Hash32
  readonly gasLimit: number
  readonly baseFeePerGas: Wei
  /** Hashes of earlier blocks (BLOCKHASH); null where unknown. */
  readonly blockHash: (height: Height) => BlockHash | null
}

/** One EVM with its exchangeable state; it runs one block or call at a time. */
export class EvmMachine {
  private blockHash: BlockEnvironment['blockHash'] = () => null

  private constructor(
    readonly vm: VM,
    readonly state: EvmState,
    /** Ends transactions that take too long, once it is started. */
    readonly timeLimit: TimeLimit,
    hashes: BlockHashes,
  ) {
    hashes.lookUp = height => this.blockHash(height)
  }

  /**
   * `nowMs` measures its time limit; without it no limit is ever over. `interrupt` is called often while code runs, and may
   * throw to end the execution.
   */
  static async create(
    chainId: number,
    { nowMs, interrupt }: { readonly nowMs?: () => number; readonly interrupt?: () => void } = {},
  ): Promise<EvmMachine> {
    const common = createCommon(chainId)
    const stateManager = new EvmState()
    const blockchain = new BlockHashes()
    const evm = await createEVM({ common, stateManager, blockchain, bls: new EvmBls() })
    // All of the library's journal but the preimages, which nothing here asks for.
    evm.journal = new EvmJournal(stateManager) as unknown as EVM['journal']
    const vm = await createVM({ common, stateManager, evm })
    stateManager.use(new WorkingState(emptyState))
    await hastenInterpreter(evm)
    const timeLimit = new TimeLimit(nowMs ?? (() => 0))
    if (interrupt !== undefined) interruptOften(evm, interrupt)
    else if (nowMs !== undefined) {
      interruptOften(evm, timeLimit.interrupt)
      limitPrecompiles(evm, timeLimit)
    }
    return new EvmMachine(vm, stateManager, timeLimit, blockchain)
  }

  /** Makes the environment current and gives it in the library's form. */
  enter(environment: BlockEnvironment): EvmBlock {
    this.blockHash = environment.blockHash
    const { number, timestamp, feeRecipient, prevRandao, gasLimit, baseFeePerGas } = environment
    const header = {
      number: BigInt(number),
      coinbase: new EvmAddress(hexToBytes(feeRecipient)),
      timestamp: BigInt(timestamp),
      difficulty: 0n,
      prevRandao: hexToBytes(prevRandao),
      gasLimit: BigInt(gasLimit),
      gasUsed: 0n,
      baseFeePerGas,
      // No block of this chain has blobs, so their price stays at its minimum (EIP-4844).
      getBlobGasPrice: () => 1n,
    }
    const block = { common: this.vm.common, header, errorStr: () => `block ${number}` }
    // The library's own block class would check, per block, what is known to hold here; the EVM reads only these fields.
    return block as unknown as EvmBlock
  }

  /** Forgets what an execution that was broken off left behind: what was warm, and transient storage (EIP-1153). */
  reset(): void {
    const { journal, transientStorage } = this.vm.evm as EVM
    journal.cleanJournal()
    transientStorage.clear()
  }

  isPrecompile(address: Address): boolean {
    return this.vm.evm.precompiles.has(address.slice(2))
  }
}

/** Answers BLOCKHASH. */
class BlockHashes implements EVMMockBlockchainInterface {
  lookUp: BlockEnvironment['blockHash'] = () => null

  async getBlock(height: number): Promise<{ hash(): Uint8Array }> {
    const hash = this.lookUp(height)
    return { hash: () => (hash === null ? new Uint8Array(32) : hexToBytes(hash)) }
  }

  async putBlock(): Promise<void> {}

  shallowCopy(): this {
    return this
  }
}
