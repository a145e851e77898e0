import type { Address } from '../../../src/base/primitives/hashes.js'
import { type Wei, weiPerGwei } from '../../../src/base/primitives/quantities.js'
import { type Block, decodeOwnBlock, encodeBlock } from '../../../src/base/protocol/block.js'
import { contextHash } from '../../../src/base/protocol/block-context.js'
import { createInProcessExecution } from '../../../src/io/execution/embedded/in-process-execution.js'
import type { ExecutionClient, HeadChange } from '../../../src/io/execution/execution-client.js'
import type { Genesis } from '../../../src/io/execution/genesis.js'
import { MemoryStore } from '../../../src/io/storage/memory-store.js'
import { depositWithdrawal } from '../../../src/rules/blocks/block-withdrawals.js'
import type { Invariant, Violate } from './invariant-watch.js'

/**
 * Decided implies valid: each decided block is executed again by a client that shares nothing with the nodes. And no wei
 * comes or goes: what all accounts hold is what genesis gave, and deposits, less the fees that wait to be recycled.
 */
export async function validity({
  genesis,
  violate,
}: {
  genesis: Genesis
  violate: { readonly validity: Violate; readonly balances: Violate }
}): Promise<Invariant & { readonly execution: ExecutionClient; readonly blocks: readonly Block[] }> {
  const execution = await createInProcessExecution({ store: new MemoryStore(), genesis })
  const blocks: Block[] = [(await execution.blockAt(0))!]
  const ledger = new Ledger(genesis)
  let queue = Promise.resolve()

  const audit = async (block: Block) => {
    const { number, parentBeaconBlockRoot } = block.header
    if (contextHash(block.context) !== parentBeaconBlockRoot)
      return violate.validity(`block ${number} has the context of another`)
    // Read from its bytes: nothing that nodes remember of their block is believed.
    const status = await execution.newPayload(decodeOwnBlock(encodeBlock(block)))
    if (status.status !== 'VALID') return violate.validity(`block ${number} is decided but ${JSON.stringify(status)}`)
    const change = await execution.forkchoiceUpdated({ head: block.hash, safe: block.hash, finalized: block.hash })
    const problem = ledger.follow(block, change!)
    if (problem) violate.balances(problem)
  }
  return {
    name: 'validity',
    execution,
    blocks,
    onCommitted(_, { block }) {
      if (block.header.number !== blocks.length) return
      blocks.push(block)
      queue = queue.then(() => audit(block))
    },
    async atEnd() {
      await queue
    },
  }
}

/** What every account holds, and what it should be in all. */
class Ledger {
  private readonly balances = new Map<Address, Wei>()
  private held: Wei = 0n
  private owed: Wei = 0n
  /** Base fees that are burned and not yet credited to the fee vault. */
  private waiting: Wei = 0n

  constructor(genesis: Genesis) {
    for (const [address, { balance }] of Object.entries(genesis.alloc)) this.set(address as Address, balance)
    this.owed = this.held
  }

  /** What is wrong after the block, or null. */
  follow({ header, withdrawals }: Block, { touched }: HeadChange): string | null {
    for (const { address, balance } of touched) this.set(address, balance)
    for (const { validatorIndex, amount } of withdrawals) {
      if (validatorIndex === depositWithdrawal) this.owed += amount * weiPerGwei
      else this.waiting -= amount * weiPerGwei
    }
    if (this.waiting < 0n || this.waiting >= weiPerGwei)
      return `block ${header.number} leaves ${this.waiting} wei of burned fees, not the remainder below one gwei`
    this.waiting += header.baseFeePerGas * BigInt(header.gasUsed)
    if (this.held + this.waiting === this.owed) return null
    return `after block ${header.number} accounts hold ${this.held} wei and ${this.waiting} wait, of ${this.owed}`
  }

  private set(address: Address, balance: Wei): void {
    this.held += balance - (this.balances.get(address) ?? 0n)
    this.balances.set(address, balance)
  }
}
