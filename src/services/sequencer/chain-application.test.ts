import { beforeEach, describe, expect, it } from 'vitest'
import { InvariantError } from '../../base/primitives/invariant.js'
import type { Block } from '../../base/protocol/block.js'
import type { L1Message } from '../../base/protocol/l1-message.js'
import { devnetParameters as parameters } from '../../base/protocol/protocol-parameters.js'
import type { BlockAttributes, PayloadStatus, SkippedTransaction } from '../../io/execution/execution-client.js'
import type { L1Block } from '../../io/l1/l1-client.js'
import { silentMetrics } from '../../io/telemetry/metrics.js'
import { VirtualClock } from '../../io/time/virtual-clock.js'
import { account, childOf, deposit, genesis, l1Hash, set } from '../../rules/blocks/blocks.fixture.js'
import { proposerOf } from '../../rules/consensus/proposer-rotation.js'
import { ChainApplication } from './chain-application.js'

const l1Block = (number: number): L1Block => ({
  number,
  hash: l1Hash(number),
  parentHash: l1Hash(number - 1),
  timestamp: 1_000 + number,
})

/** This node's view of L1: blocks up to `head`, messages where they lie. */
class FakeL1 {
  head = 10
  held: L1Message[] = []
  refreshes = 0
  onRefresh = () => {}
  eligibleOrigin = () => l1Block(this.head)
  canonical = (number: number) => (number <= this.head ? l1Block(number) : null)
  messageCountAt = (number: number) => this.held.filter(({ l1BlockNumber }) => l1BlockNumber <= number).length
  messages = ({ from, upToL1Block, limit }: { from: number; upToL1Block: number; limit: number }) =>
    this.held.slice(from, from + limit).filter(({ l1BlockNumber }) => l1BlockNumber <= upToL1Block)
  onChange = () => {}
  refresh = async () => {
    this.refreshes++
    this.onRefresh()
  }
}

let clock: VirtualClock
let l1: FakeL1
let status: PayloadStatus
let built: BlockAttributes[]
let skipped: SkippedTransaction[]
let discarded: SkippedTransaction[]
let executable: boolean
let judged: number
let application: ChainApplication

beforeEach(() => {
  clock = new VirtualClock(genesis.context.timestampMs + 1_000)
  l1 = new FakeL1()
  status = { status: 'VALID' }
  built = []
  skipped = []
  discarded = []
  executable = false
  judged = 0
  application = new ChainApplication(parameters, {
    chain: { head: () => genesis, commit: async () => {} },
    execution: {
      buildBlock: async attributes => {
        built.push(attributes)
        return { block: childOf(genesis, { context: attributes.context }), skipped }
      },
      newPayload: async () => {
        judged++
        return status
      },
    },
    mempool: {
      select: () => ({ transactions: [Uint8Array.of(1)], senders: [account(1)] }),
      discard: some => discarded.push(...some),
      sendersOf: transactions => transactions.map(() => null),
      hasExecutable: () => executable,
      onExecutable: () => {},
    },
    l1,
    attestations: { extension: () => new Uint8Array(0), onExtension: () => {} },
    sets: { setAt: () => set },
    clock,
    metrics: silentMetrics,
  })
})

/** Judges a block while the clock runs; the reason and whom it blames. */
async function verdict(block: Block, { round = 0, validRound = -1 as number } = {}): Promise<string> {
  const proposal = { height: 1, round, validRound, blockHash: block.hash, proposer: 0, signature: new Uint8Array(96) }
  const judging = application.processProposal({ proposal, block })
  for (let waited = 0; waited < 1_000; waited += 50) await clock.advance(50)
  const result = await judging
  return result.ok ? 'ok' : `${result.error.reason}, ${result.error.blame}`
}

describe('judging a proposal', () => {
  it('takes a block that follows the rules and executes', async () => {
    expect(await verdict(childOf(genesis))).toBe('ok')
    expect(judged).toBe(1)
  })

  it.each<[string, Parameters<typeof childOf>[1]]>([
    ['wrong-set, block', { context: { setId: 2 } }],
    ['wrong-proposer, block', { context: { proposerIndex: (proposerOf(set, 1, 0) + 1) % 4 } }],
    ['timestamp-too-early, block', { context: { timestampMs: genesis.context.timestampMs } }],
    ['header-field-mismatch, block', { header: { gasLimit: 1 } }],
    ['l1-origin-behind-parent, block', { context: { l1OriginNumber: 9, l1OriginHash: l1Hash(9) } }],
    ['timestamp-not-timely, own-view', { context: { timestampMs: genesis.context.timestampMs + 9_000 } }],
    ['l1-origin-unknown, own-view', { context: { l1OriginNumber: 11, l1OriginHash: l1Hash(11) } }],
    ['l1-origin-not-canonical, own-view', { context: { l1OriginHash: l1Hash(99) } }],
    ['wrong-message-count, own-view', { messages: [deposit(0, 10)] }],
  ])('refuses: %s', async (expected, change) => {
    expect(await verdict(childOf(genesis, change))).toBe(expected)
    expect(judged).toBe(0)
  })

  it('blames the block for what does not execute', async () => {
    status = { status: 'INVALID', reason: 'state root mismatch' }
    expect(await verdict(childOf(genesis))).toBe('invalid-execution, block')
  })

  it('blames nobody when its own head has moved on', async () => {
    status = { status: 'SYNCING' }
    expect(await verdict(childOf(genesis))).toBe('wrong-parent, own-view')
  })

  it('waits a moment for its own view of L1 to reach the origin', async () => {
    l1.onRefresh = () => {
      if (l1.refreshes === 3) l1.head = 11
    }
    const block = childOf(genesis, { context: { l1OriginNumber: 11, l1OriginHash: l1Hash(11) } })
    expect(await verdict(block)).toBe('ok')
    expect(l1.refreshes).toBe(3)
  })

  it('does not wait where waiting cannot help', async () => {
    await verdict(childOf(genesis, { context: { l1OriginHash: l1Hash(99) } }))
    expect(l1.refreshes).toBe(0)
  })

  it('does not hold a block that had a polka against the clock', async () => {
    const late = childOf(genesis)
    await clock.advance(60_000)
    expect(await verdict(late)).toBe('timestamp-not-timely, own-view')
    expect(await verdict(late, { round: 1, validRound: 0 })).toBe('ok')
  })
})

describe('preparing a proposal', () => {
  it('builds on the head: newest origin, its messages, this round’s proposer, no time travel', async () => {
    l1.head = 12
    l1.held = [deposit(0, 11), deposit(1, 12)]
    await application.prepareProposal({ height: 1, round: 2 })
    const [{ context, withdrawals, transactions, onInvalidTransaction }] = built as [BlockAttributes]
    expect(context).toMatchObject({
      setId: set.setId,
      proposerIndex: proposerOf(set, 1, 2),
      timestampMs: clock.nowMs(),
      l1OriginNumber: 12,
      l1OriginHash: l1Hash(12),
      messagesConsumed: 2,
    })
    expect(withdrawals).toHaveLength(2)
    expect(transactions).toEqual([Uint8Array.of(1)])
    expect(onInvalidTransaction).toBe('skip')
  })

  it('makes what itself and the others accept', async () => {
    l1.head = 12
    l1.held = [deposit(0, 11)]
    await application.prepareProposal({ height: 1, round: 0 })
    const block = childOf(genesis, { context: built[0]!.context, messages: l1.held })
    expect(await verdict(block)).toBe('ok')
  })

  it('keeps the parent’s origin when its own view is behind it', async () => {
    l1.head = 8
    await application.prepareProposal({ height: 1, round: 0 })
    expect(built[0]!.context).toMatchObject({ l1OriginNumber: 10, l1OriginHash: genesis.context.l1OriginHash })
  })

  it('keeps the minimal interval when its clock is behind the parent', async () => {
    clock = new VirtualClock(0)
    const { timestampMs } = genesis.context
    l1.head = 10
    const behind = new ChainApplication(parameters, {
      ...(application as unknown as { ports: ConstructorParameters<typeof ChainApplication>[1] }).ports,
      clock,
    })
    await behind.prepareProposal({ height: 1, round: 0 })
    expect(built[0]!.context.timestampMs).toBe(timestampMs + parameters.minBlockIntervalMs)
  })

  it('throws out what could not be executed', async () => {
    skipped = [{ hash: l1Hash(1), reason: 'nonce-too-low', detail: '' }]
    await application.prepareProposal({ height: 1, round: 0 })
    expect(discarded).toEqual(skipped)
  })

  it('stops at a view of L1 that counts messages which it does not hold', async () => {
    l1.messageCountAt = () => 1
    await expect(application.prepareProposal({ height: 1, round: 0 })).rejects.toThrow(InvariantError)
  })
})

describe('work', () => {
  it('is there when transactions or L1 messages wait', () => {
    expect(application.hasWork()).toBe(false)
    executable = true
    expect(application.hasWork()).toBe(true)
    executable = false
    l1.held = [deposit(0, 10)]
    expect(application.hasWork()).toBe(true)
    l1.held = [deposit(0, 11)]
    expect(application.hasWork()).toBe(false)
  })
})
