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
import { createProtocolSchedule } from '../../rules/upgrades/protocol-schedule.js'
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
  onRefresh: () => void | Promise<void> = () => {}
  eligibleOrigin = () => l1Block(this.head)
  /** Blocks from here on are those of a fork. */
  forkedFrom = Number.POSITIVE_INFINITY
  canonical = (number: number) => {
    if (number > this.head) return null
    return number < this.forkedFrom ? l1Block(number) : { ...l1Block(number), hash: l1Hash(1_000 + number) }
  }
  messageCountAt = (number: number) => this.held.filter(({ l1BlockNumber }) => l1BlockNumber <= number).length
  messages = ({ from, upToL1Block, limit }: { from: number; upToL1Block: number; limit: number }) =>
    this.held.slice(from, from + limit).filter(({ l1BlockNumber }) => l1BlockNumber <= upToL1Block)
  readonly listeners = new Set<() => void>()
  onChange = (listener: () => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }
  refresh = async () => {
    this.refreshes++
    await this.onRefresh()
  }

  /** The view moves on, and says so. */
  moveTo(head: number) {
    this.head = head
    for (const listener of [...this.listeners]) listener()
  }
}

const protocol = createProtocolSchedule({ parameters })

let clock: VirtualClock
let l1: FakeL1
let status: PayloadStatus
let built: BlockAttributes[]
let skipped: SkippedTransaction[]
let discarded: SkippedTransaction[]
let executable: boolean
let judged: number
let limitsMs: (number | undefined)[]
let roomsBytes: number[]
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
  limitsMs = []
  roomsBytes = []
  application = new ChainApplication(protocol, {
    chain: { head: () => genesis, commit: async () => {} },
    execution: {
      buildBlock: async attributes => {
        built.push(attributes)
        return { block: childOf(genesis, { context: attributes.context }), skipped }
      },
      newPayload: async (_block, _senders, limitMs) => {
        judged++
        limitsMs.push(limitMs)
        return status
      },
    },
    mempool: {
      select: ({ maxBytes }) => {
        roomsBytes.push(maxBytes)
        return { transactions: [Uint8Array.of(1)], senders: [account(1)] }
      },
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

  it('blames nobody for a block that is not executed before its round is over', async () => {
    status = { status: 'TIMED_OUT' }
    expect(await verdict(childOf(genesis))).toBe('execution-too-slow, own-view')
    expect(limitsMs).toEqual([parameters.proposeTimeoutMs])
  })

  it('blames nobody when its own head has moved on', async () => {
    status = { status: 'SYNCING' }
    expect(await verdict(childOf(genesis))).toBe('wrong-parent, own-view')
  })

  describe('when its own view of L1 is not the proposer’s', () => {
    const ahead = childOf(genesis, { context: { l1OriginNumber: 11, l1OriginHash: l1Hash(11) } })

    /** Judges while the clock runs; the reason and how many milliseconds it took. */
    async function timedVerdict(block: Block, round = 0) {
      const context = { ...block.context, proposerIndex: proposerOf(set, 1, round) }
      const own = childOf(genesis, { context })
      const began = clock.nowMs()
      let tookMs = -1
      const proposal = {
        height: 1,
        round,
        validRound: -1,
        blockHash: own.hash,
        proposer: 0,
        signature: new Uint8Array(96),
      }
      const judging = application.processProposal({ proposal, block: own }).finally(() => {
        tookMs = clock.nowMs() - began
      })
      await clock.advance(0)
      for (let waited = 0; waited < 6_000 && tookMs < 0; waited += 10) await clock.advance(10)
      const result = await judging
      return { verdict: result.ok ? 'ok' : `${result.error.reason}, ${result.error.blame}`, tookMs }
    }

    it('polls L1 until its view reaches the origin', async () => {
      l1.onRefresh = () => {
        if (l1.refreshes === 3) l1.moveTo(11)
      }
      expect(await timedVerdict(ahead)).toEqual({ verdict: 'ok', tookMs: 100 })
      expect(l1.refreshes).toBe(3)
      expect(l1.listeners.size).toBe(0)
    })

    it('goes on at once when the view changes, without a poll of its own', async () => {
      l1.onRefresh = () => new Promise(() => {})
      clock.schedule(120, () => l1.moveTo(11))
      expect(await timedVerdict(ahead)).toEqual({ verdict: 'ok', tookMs: 120 })
    })

    it('waits on when the view changes and is still behind', async () => {
      l1.head = 8
      clock.schedule(100, () => l1.moveTo(10))
      clock.schedule(200, () => l1.moveTo(11))
      expect(await timedVerdict(ahead)).toEqual({ verdict: 'ok', tookMs: 200 })
    })

    it.each([
      ['lags', () => {}],
      ['hangs', () => new Promise<void>(() => {})],
    ])('waits half the propose timeout for an endpoint that %s, longer in later rounds', async (_, onRefresh) => {
      l1.onRefresh = onRefresh
      const { proposeTimeoutMs, proposeTimeoutDeltaMs } = parameters
      for (const round of [0, 1, 4]) {
        const tookMs = Math.ceil((proposeTimeoutMs + round * proposeTimeoutDeltaMs) / 2)
        const { verdict, tookMs: took } = await timedVerdict(ahead, round)
        expect(verdict).toBe('l1-origin-unknown, own-view')
        expect(Math.abs(took - tookMs)).toBeLessThan(10)
      }
      expect(l1.listeners.size).toBe(0)
    })

    it('waits for an endpoint on a fork to come back', async () => {
      l1.forkedFrom = 11
      l1.head = 11
      expect(await timedVerdict(ahead)).toMatchObject({ verdict: 'l1-origin-not-canonical, own-view', tookMs: 500 })
      clock.schedule(100, () => {
        l1.forkedFrom = Number.POSITIVE_INFINITY
        l1.moveTo(11)
      })
      expect(await timedVerdict(ahead)).toEqual({ verdict: 'ok', tookMs: 100 })
    })

    it('objects to deposits that its endpoint tells otherwise, and blames the block only for what it alone says', async () => {
      l1.head = 11
      l1.held = [deposit(0, 11)]
      const context = { l1OriginNumber: 11, l1OriginHash: l1Hash(11) }
      const other = { ...deposit(0, 11), amount: 10n ** 24n }
      expect(await verdict(childOf(genesis, { context, messages: [other] }))).toBe('withdrawals-mismatch, own-view')
      l1.held = []
      const block = childOf(genesis, { context })
      const withdrawals = [{ index: 65_536, validatorIndex: 0, address: account(9), amount: 1n }]
      expect(await verdict({ ...block, withdrawals })).toBe('withdrawals-mismatch, block')
      expect(judged).toBe(0)
    })
  })

  it('does not wait where waiting cannot help', async () => {
    await verdict(childOf(genesis, { context: { l1OriginHash: l1Hash(99) } }))
    expect(l1.refreshes).toBe(0)
  })

  it('executes a block that claims a polka though it is not timely, and says that as a new one it would not be', async () => {
    const late = childOf(genesis)
    await clock.advance(60_000)
    expect(await verdict(late)).toBe('timestamp-not-timely, own-view')
    expect(judged).toBe(0)
    expect(await verdict(late, { round: 1, validRound: 0 })).toBe('timestamp-not-timely, own-view')
    expect(judged).toBe(1)
    status = { status: 'INVALID', reason: 'state root mismatch' }
    expect(await verdict(late, { round: 1, validRound: 0 })).toBe('invalid-execution, block')
  })

  it('says the same of a block, whatever proposal brings it', async () => {
    const ofAnother = childOf(genesis, { context: { proposerIndex: (proposerOf(set, 1, 0) + 1) % 4 } })
    const large = childOf(genesis, { transactions: [new Uint8Array(parameters.maxBlockTransactionBytes)] })
    for (const block of [childOf(genesis), ofAnother, large])
      for (const of of [{}, { round: 1 }, { round: 9 }, { round: 2, validRound: 0 }, { round: 9, validRound: 8 }]) {
        expect(await verdict(block, of)).toBe('ok')
        await clock.advance(-1_000)
      }
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
    const behind = new ChainApplication(protocol, {
      ...(application as unknown as { ports: ConstructorParameters<typeof ChainApplication>[1] }).ports,
      clock,
    })
    await behind.prepareProposal({ height: 1, round: 0 })
    expect(built[0]!.context.timestampMs).toBe(timestampMs + parameters.minBlockIntervalMs)
  })

  it('fills less of a block in late rounds', async () => {
    const { maxBlockTransactionBytes } = parameters
    for (const round of [0, 3, 4, 40]) await application.prepareProposal({ height: 1, round })
    expect(roomsBytes).toEqual([maxBlockTransactionBytes, maxBlockTransactionBytes, maxBlockTransactionBytes / 2, 0])
  })

  it('builds for half of the time that the others wait', async () => {
    for (const round of [0, 2]) await application.prepareProposal({ height: 1, round })
    const { proposeTimeoutMs, proposeTimeoutDeltaMs } = parameters
    expect(built.map(({ timeLimitMs }) => timeLimitMs)).toEqual([
      proposeTimeoutMs / 2,
      proposeTimeoutMs / 2 + proposeTimeoutDeltaMs,
    ])
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

describe('an upgrade', () => {
  const upgrades = [
    {
      version: 2,
      activationHeight: 1,
      parameters: { gasLimit: 60_000_000, minBlockIntervalMs: 2_000, maxMessagesPerBlock: 1 },
    },
  ]
  const withProtocol = (protocol: ConstructorParameters<typeof ChainApplication>[0]) =>
    new ChainApplication(
      protocol,
      (application as unknown as { ports: ConstructorParameters<typeof ChainApplication>[1] }).ports,
    )
  const verdictOf = async (of: ChainApplication, block: Block) => {
    const proposer = proposerOf(set, 1, 0)
    const signature = new Uint8Array(96)
    const proposal = { height: 1, round: 0, validRound: -1 as const, blockHash: block.hash, proposer, signature }
    const verdict = await of.processProposal({ proposal, block })
    return verdict.ok ? 'ok' : `${verdict.error.reason}, ${verdict.error.blame}`
  }

  it('makes blocks of its version by its parameters', async () => {
    l1.held = [deposit(0, 10), deposit(1, 10)]
    await withProtocol(createProtocolSchedule({ parameters, upgrades })).prepareProposal({ height: 1, round: 0 })
    const { timestampMs } = genesis.context
    expect(built[0]).toMatchObject({ gasLimit: 30_029_295 })
    expect(built[0]!.context).toMatchObject({ version: 2, timestampMs: timestampMs + 2_000, messagesConsumed: 1 })
  })

  it('leaves a block of another version than its own without a verdict', async () => {
    const ofVersion2 = childOf(genesis, { context: { version: 2 } })
    expect(await verdictOf(application, ofVersion2)).toBe('unknown-version, own-version')
    const upgraded = withProtocol(createProtocolSchedule({ parameters, upgrades }))
    expect(await verdictOf(upgraded, childOf(genesis))).toBe('wrong-version, own-version')
    expect(judged).toBe(0)
  })
})
