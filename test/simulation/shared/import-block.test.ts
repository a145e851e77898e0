import { beforeAll, describe, expect, it } from 'vitest'
import { zeroHash } from '../../../src/base/primitives/hashes.js'
import { type Block, decodeOwnBlock, encodeBlock } from '../../../src/base/protocol/block.js'
import { headerHash } from '../../../src/base/protocol/block-header.js'
import { buildBlock } from '../../../src/io/execution/embedded/engine/build-block.js'
import { EvmMachine } from '../../../src/io/execution/embedded/engine/evm-environment.js'
import { genesisBlock } from '../../../src/io/execution/embedded/engine/genesis-block.js'
import type { ParentBlock } from '../../../src/io/execution/embedded/engine/parent-block.js'
import { StateDiff } from '../../../src/io/execution/embedded/state/state-diff.js'
import { type Genesis, genesisContext } from '../../../src/io/execution/genesis.js'
import { importBlock } from './import-block.js'

const holder = '0x00000000000000000000000000000000000000aa'
const genesis: Genesis = {
  chainId: 5,
  timestamp: 1_000,
  gasLimit: 30_000_000,
  l1OriginNumber: 0,
  l1OriginHash: zeroHash,
  alloc: { [holder]: { balance: 1n } },
}

/** A node's parent block; each node has a state object of its own. */
function parentOf({ balance = 1n }: { balance?: bigint } = {}): ParentBlock {
  const { block } = genesisBlock(genesis)
  const { state } = genesisBlock({ ...genesis, alloc: { [holder]: { balance } } })
  return { hash: block.hash, header: block.header, state, hashAt: () => null }
}

/** An EVM that counts the blocks that it entered. */
async function countingMachine(): Promise<{ machine: EvmMachine; runs: () => number }> {
  const machine = await EvmMachine.create(genesis.chainId)
  let runs = 0
  const enter = machine.enter.bind(machine)
  machine.enter = environment => {
    runs++
    return enter(environment)
  }
  return { machine, runs: () => runs }
}

let block: Block
beforeAll(async () => {
  const parent = parentOf()
  const { executed } = await buildBlock({
    machine: await EvmMachine.create(genesis.chainId),
    parent,
    attributes: {
      parentHash: parent.hash,
      height: 1,
      timestamp: 2_000,
      feeRecipient: holder,
      prevRandao: zeroHash,
      gasLimit: genesis.gasLimit,
      context: genesisContext(genesis),
      withdrawals: [{ index: 0, validatorIndex: 0, address: holder, amount: 7n }],
      transactions: [],
      onInvalidTransaction: 'fail',
    },
  })
  block = executed.block
})
const read = () => decodeOwnBlock(Uint8Array.from(encodeBlock(block)))

describe('execution that nodes share', () => {
  it('runs a valid block once, and gives each node its own state with the same changes', async () => {
    const message = read()
    const { machine, runs } = await countingMachine()
    const [first, second] = [parentOf(), parentOf()]
    const one = await importBlock({ machine, parent: first, block: message, senders: [] })
    const two = await importBlock({ machine, parent: second, block: message, senders: [] })
    expect(runs()).toBe(1)
    if (!('executed' in one && 'executed' in two)) throw new RangeError('the block is refused')
    expect(two.executed.state).toBeInstanceOf(StateDiff)
    expect(two.executed.state.parent).toBe(second.state)
    expect(two.executed.state.root).toEqual(one.executed.state.root)
    expect(two.executed.state.account(holder)?.balance).toBe(1n + 7_000_000_000n)
  })

  it('believes nothing of other bytes, nor on another state', async () => {
    const message = read()
    const { machine, runs } = await countingMachine()
    await importBlock({ machine, parent: parentOf(), block: message, senders: [] })
    await importBlock({ machine, parent: parentOf(), block: read(), senders: [] })
    expect(runs()).toBe(2)
    const onOther = await importBlock({ machine, parent: parentOf({ balance: 2n }), block: message, senders: [] })
    expect(runs()).toBe(3)
    expect(onOther).toHaveProperty('reason')
  })

  it('runs a block that claims a wrong state at every node', async () => {
    const header = { ...block.header, stateRoot: block.header.transactionsRoot }
    const invalid: Block = { ...block, header, hash: headerHash(header) }
    const { machine, runs } = await countingMachine()
    for (let node = 1; node <= 3; node++) {
      const result = await importBlock({ machine, parent: parentOf(), block: invalid, senders: [] })
      expect(result).toMatchObject({ reason: expect.stringContaining('state root mismatch') })
      expect(runs()).toBe(node)
    }
  })
})
