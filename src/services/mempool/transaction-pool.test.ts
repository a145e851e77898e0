import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AccountState } from '../../io/execution/execution-client.js'
import { headOf, type RecoveredFields, recoveredTransfer, rich, senderOf, testConfig } from './mempool.fixture.js'
import { PooledTransaction } from './pooled-transaction.js'
import { type PoolLimits, TransactionPool } from './transaction-pool.js'

function createPool(limits: Partial<PoolLimits> = {}, accounts: readonly AccountState[] = [rich, rich, rich, rich]) {
  const pool = new TransactionPool({ ...testConfig, ...limits })
  accounts.forEach((state, account) => {
    pool.learn(senderOf(account), state)
  })
  const add = (fields: RecoveredFields, source: 'local' | 'peer' = 'peer') => {
    const result = pool.add(recoveredTransfer(fields), { source, nowMs: 0 })
    return result instanceof PooledTransaction ? result.place : result.message
  }
  const nonces = (account: number) => {
    const found = pool.account(senderOf(account))
    return {
      pending: found?.pending.map(transaction => transaction.nonce),
      queued: found?.queuedInOrder().map(transaction => transaction.nonce),
    }
  }
  const selected = (limits: Partial<Parameters<TransactionPool['select']>[0]> = {}) => {
    const { transactions, senders } = pool.select({ baseFee: 0n, maxGas: 1e9, maxBytes: 1e9, ...limits })
    return transactions.map((raw, at) => {
      const found = pool.known.find(raw)!
      expect(found.sender).toBe(senders[at])
      return { account: Number(BigInt(found.sender)) - 1, nonce: found.nonce }
    })
  }
  return { pool, add, nonces, selected }
}

describe('pending and queued', () => {
  it('holds back what is behind a gap and moves it up when the gap closes', () => {
    const { pool, add, nonces } = createPool()
    expect(add({ account: 0, nonce: 2 })).toBe('queued')
    expect(add({ account: 0, nonce: 1 })).toBe('queued')
    expect(pool.takePromoted()).toEqual([])
    expect(add({ account: 0, nonce: 0 })).toBe('pending')
    expect(nonces(0)).toEqual({ pending: [0, 1, 2], queued: [] })
    expect(pool.takePromoted().map(transaction => transaction.nonce)).toEqual([0, 1, 2])
    expect(pool.status()).toMatchObject({ pending: 3, queued: 0 })
  })

  it('refuses what it knows, what is spent and what is too poor', () => {
    const { add } = createPool({}, [{ nonce: 1, balance: 4_200_000n, hasCode: false }])
    expect(add({ account: 0, nonce: 0 })).toBe('nonce too low: next nonce 1, tx nonce 0')
    expect(add({ account: 0, nonce: 1 })).toBe('pending')
    expect(add({ account: 0, nonce: 1 })).toBe('already known')
    expect(add({ account: 0, nonce: 2 })).toBe('pending')
    expect(add({ account: 0, nonce: 3 })).toMatch(/^insufficient funds .*overshot 2100000$/)
  })

  it('replaces only for a tenth more', () => {
    const { pool, add, nonces } = createPool()
    add({ account: 0, nonce: 0 })
    add({ account: 0, nonce: 1 })
    expect(add({ account: 0, nonce: 0, fee: 109, tip: 11 })).toBe('replacement transaction underpriced')
    expect(add({ account: 0, nonce: 0, fee: 110, tip: 11 })).toBe('pending')
    expect(nonces(0)).toEqual({ pending: [0, 1], queued: [] })
    expect(pool.status()).toEqual({ pending: 2, queued: 0, bytes: 220 })
    expect(pool.account(senderOf(0))?.pendingCost).toBe(210n * 21_000n)
    add({ account: 0, nonce: 5 })
    expect(add({ account: 0, nonce: 5, fee: 200, tip: 20 })).toBe('queued')
    expect(pool.status()).toEqual({ pending: 2, queued: 1, bytes: 330 })
  })

  it('limits each account', () => {
    const { add } = createPool({ maxPendingPerAccount: 2, maxQueuedPerAccount: 1 })
    expect(add({ account: 0, nonce: 0 })).toBe('pending')
    expect(add({ account: 0, nonce: 1 })).toBe('pending')
    expect(add({ account: 0, nonce: 2 })).toBe('account limit exceeded: pooled 2 txs')
    expect(add({ account: 0, nonce: 3 })).toBe('queued')
    expect(add({ account: 0, nonce: 4 })).toBe('account limit exceeded: pooled 1 txs')
  })
})

describe('a full pool', () => {
  it('gives up the cheapest remote tail for a better one, else refuses', () => {
    const { add, nonces } = createPool({ maxPending: 3 })
    add({ account: 0, nonce: 0, tip: 5 })
    add({ account: 0, nonce: 1, tip: 3 })
    add({ account: 1, nonce: 0, tip: 4 })
    expect(add({ account: 2, nonce: 0, tip: 3 })).toBe('txpool is full')
    expect(add({ account: 2, nonce: 0, tip: 6 })).toBe('pending')
    expect(nonces(0).pending).toEqual([0])
    expect(add({ account: 3, nonce: 0, tip: 6 })).toBe('pending')
    expect(nonces(1).pending).toEqual([])
  })

  it('gives up local transactions for better ones too, after remote ones that are worth as much', () => {
    const { add, nonces } = createPool({ maxPending: 2 })
    add({ account: 0, nonce: 0, tip: 2 }, 'local')
    add({ account: 1, nonce: 0, tip: 2 })
    expect(add({ account: 2, nonce: 0, tip: 2 })).toBe('txpool is full')
    expect(add({ account: 2, nonce: 0, tip: 2 }, 'local')).toBe('pending')
    expect(nonces(1).pending).toEqual([])
    expect(add({ account: 3, nonce: 0, tip: 2 }, 'local')).toBe('txpool is full')
    expect(add({ account: 3, nonce: 0, tip: 3 })).toBe('pending')
  })

  it.each([
    ['cannot pay the base fee', [{ nonce: 0, fee: 49, tip: 49 }]],
    // The last one is worth no more to a block than the first, which has to go before it.
    [
      'wait for one that cannot pay it',
      [
        { nonce: 0, fee: 49, tip: 49 },
        { nonce: 1, fee: 9_000, tip: 9_000 },
      ],
    ],
    [
      'wait for a nonce',
      [
        { nonce: 5, fee: 9_000, tip: 9_000 },
        { nonce: 6, fee: 9_000, tip: 9_000 },
      ],
    ],
  ])('gives up local transactions that %s for one that goes into the next block', (_what, held) => {
    const { pool, add } = createPool({ baseFeePerGas: 50n, maxBytes: held.length * 110 })
    for (const fields of held) expect(add({ account: 0, ...fields }, 'local')).not.toMatch(/full/)
    expect(add({ account: 1, nonce: 0, fee: 50, tip: 0 })).toBe('pending')
    const [nonce, last] = [held.at(-1)!.nonce, held.at(-1)!]
    const { hash } = recoveredTransfer({ account: 0, ...last, nonce })
    expect(pool.fate(hash)).toEqual({
      place: 'dropped',
      sentence: 'The pool was full, and others are worth more to a block.',
    })
  })

  it('gives up whole chains of what cannot go into a block, however few accounts sent them', () => {
    const accounts = Array.from({ length: 12 }, () => rich)
    const { pool, add, nonces } = createPool({ baseFeePerGas: 50n, maxPending: 10, maxQueued: 1 }, accounts)
    for (const account of [0, 1])
      for (let nonce = 0; nonce < 5; nonce++) add({ account, nonce, fee: 49, tip: 1 }, 'local')
    for (let account = 2; account < 12; account++)
      expect(add({ account, nonce: 0, tip: account }, 'local')).toBe('pending')
    expect([nonces(0), nonces(1)]).toEqual([
      { pending: [], queued: [] },
      { pending: [], queued: [] },
    ])
    expect(pool.status()).toMatchObject({ pending: 10, queued: 0 })
  })

  it('holds the best of whatever came, of equals the first', () => {
    const tips = fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 60 })
    fc.assert(
      fc.property(tips, fc.integer({ min: 1, max: 20 }), (offered, maxPending) => {
        const { pool, add } = createPool(
          { maxPending },
          offered.map(() => rich),
        )
        offered.forEach((tip, account) => {
          add({ account, nonce: 0, tip })
        })
        const held = [...pool.activeAccounts()].map(({ pending }) => pending[0]!)
        const best = offered
          .map((tip, arrival) => ({ tip, arrival }))
          .sort((a, b) => b.tip - a.tip || a.arrival - b.arrival)
        const order = (a: { arrival: number }, b: { arrival: number }) => a.arrival - b.arrival
        expect(held.map(({ tip, arrival }) => ({ tip, arrival })).sort(order)).toEqual(
          best.slice(0, maxPending).sort(order),
        )
      }),
    )
  })

  it('gives up nothing that can go into a block for what waits for a nonce', () => {
    const { add, nonces } = createPool({ maxBytes: 110 })
    add({ account: 0, nonce: 0, tip: 1 })
    expect(add({ account: 1, nonce: 7, tip: 90 }, 'local')).toBe('txpool is full')
    expect(nonces(0).pending).toEqual([0])
  })

  it('takes nothing whose fee cap no base fee can fall to', () => {
    const { pool, add } = createPool({ baseFeePerGas: 50n })
    expect(add({ account: 0, nonce: 0, fee: 6, tip: 1 }, 'local')).toBe(
      'transaction underpriced: gas fee cap 6, minimum needed 7',
    )
    expect(add({ account: 0, nonce: 0, fee: 7, tip: 1 }, 'local')).toBe('pending')
    pool.onHead(headOf([], 3n))
    expect(add({ account: 1, nonce: 0, fee: 3, tip: 1 }, 'local')).toBe('pending')
  })

  it('never evicts what the newcomer follows', () => {
    const { add, nonces } = createPool({ maxPending: 1 })
    add({ account: 0, nonce: 0, tip: 1 })
    expect(add({ account: 0, nonce: 1, tip: 9 })).toBe('txpool is full')
    expect(nonces(0).pending).toEqual([0])
  })

  it('never evicts what the newcomer follows, whatever else its sender did meanwhile', () => {
    const { add, nonces } = createPool({ maxPending: 3 })
    add({ account: 0, nonce: 0, tip: 10 })
    for (const account of [1, 2]) add({ account, nonce: 0, tip: 50 })
    expect(add({ account: 3, nonce: 0, tip: 5 })).toBe('txpool is full')
    add({ account: 0, nonce: 5, tip: 10 })
    expect(add({ account: 0, nonce: 1, tip: 10 }, 'local')).toBe('txpool is full')
    expect(nonces(0)).toEqual({ pending: [0], queued: [5] })
  })

  it('goes by what a tail is worth now, not before its predecessor was replaced', () => {
    const { add, nonces } = createPool({ maxPending: 4 })
    add({ account: 0, nonce: 0, tip: 2, fee: 100 })
    add({ account: 0, nonce: 1, tip: 90, fee: 100 })
    for (const account of [1, 2]) add({ account, nonce: 0, tip: 50 })
    expect(add({ account: 3, nonce: 0, tip: 1 })).toBe('txpool is full')
    expect(add({ account: 0, nonce: 0, tip: 80, fee: 200 })).toBe('pending')
    expect(add({ account: 3, nonce: 0, tip: 3 })).toBe('txpool is full')
    expect(nonces(0).pending).toEqual([0, 1])
  })

  it('counts bytes, for replacements too', () => {
    const { pool, add } = createPool({ maxBytes: 1_000 })
    add({ account: 0, nonce: 0, bytes: 400 })
    add({ account: 1, nonce: 0, bytes: 400 })
    expect(add({ account: 2, nonce: 0, bytes: 400 })).toBe('txpool is full')
    expect(add({ account: 0, nonce: 0, fee: 200, tip: 10, bytes: 700 })).toBe('replacement transaction underpriced')
    expect(add({ account: 0, nonce: 0, fee: 200, tip: 20, bytes: 700 })).toBe('pending')
    expect(pool.status()).toEqual({ pending: 1, queued: 0, bytes: 700 })
  })
})

describe('a new head', () => {
  it('takes out what is included and moves up what follows', () => {
    const { pool, add, nonces } = createPool()
    for (const nonce of [0, 1, 3, 4]) add({ account: 0, nonce })
    pool.takePromoted()
    pool.onHead(headOf([{ address: senderOf(0), ...rich, nonce: 3 }]))
    expect(nonces(0)).toEqual({ pending: [3, 4], queued: [] })
    expect(pool.takePromoted().map(transaction => transaction.nonce)).toEqual([3, 4])
    pool.onHead(headOf([{ address: senderOf(0), ...rich, nonce: 9 }]))
    expect(pool.status()).toEqual({ pending: 0, queued: 0, bytes: 0 })
    expect(pool.account(senderOf(0))?.pendingCost).toBe(0n)
  })

  it('drops what the balance no longer covers and holds back its followers', () => {
    const { pool, add, nonces } = createPool()
    add({ account: 0, nonce: 0 })
    add({ account: 0, nonce: 1, value: 10n ** 20n })
    add({ account: 0, nonce: 2 })
    pool.onHead(headOf([{ address: senderOf(0), ...rich, balance: 10n ** 19n }]))
    expect(nonces(0)).toEqual({ pending: [0], queued: [2] })
  })

  it('remembers senders of removed transactions for a while', () => {
    const { pool, add } = createPool({ maxRecent: 1 })
    add({ account: 0, nonce: 0 })
    add({ account: 1, nonce: 0 })
    const raws = [0, 1].map(account => recoveredTransfer({ account, nonce: 0 }).raw)
    pool.onHead(headOf([0, 1].map(account => ({ address: senderOf(account), ...rich, nonce: 1 }))))
    expect(raws.map(raw => pool.known.find(raw)?.sender ?? null)).toEqual([null, senderOf(1)])
  })

  it('forgets idle accounts beyond the limit, never those with transactions', () => {
    const { pool, add } = createPool({ maxIdleAccounts: 2 })
    add({ account: 0, nonce: 0 })
    pool.sweepIdle()
    expect([0, 1, 2, 3].map(account => pool.knows(senderOf(account)))).toEqual([true, false, true, true])
  })
})

describe('the fate of a transaction', () => {
  const hashOf = (fields: RecoveredFields) => recoveredTransfer(fields).hash
  const first = { account: 0, nonce: 0, fee: 40, tip: 1 }
  it('is what it waits for', () => {
    const { pool, add } = createPool({ baseFeePerGas: 50n, maxPendingPerAccount: 2 })
    add(first)
    for (const nonce of [1, 2, 4]) add({ account: 0, nonce })
    add({ account: 1, nonce: 3 })
    const fate = (fields: RecoveredFields) => pool.fate(hashOf(fields))
    const falls = 'It waits for the base fee to fall:'
    expect(fate(first)).toEqual({ place: 'pending', sentence: `${falls} its fee cap of 40 wei is below 50.` })
    expect(fate({ account: 0, nonce: 1 })?.sentence).toBe(
      `${falls} nonce 0 comes first, and its fee cap of 40 wei is below 50.`,
    )
    expect(fate({ account: 1, nonce: 3 })).toEqual({
      place: 'queued',
      sentence: 'It waits for a transaction with nonce 0.',
    })
    pool.onHead(headOf([], 40n))
    expect(fate(first)?.sentence).toBe('It can go into the next block.')
    expect(fate({ account: 2, nonce: 0 })).toBeNull()
  })

  it('is why it was dropped, until it is back', () => {
    const { pool, add } = createPool()
    const reason = (fields: RecoveredFields) => pool.fate(hashOf(fields))?.sentence
    add(first)
    add({ ...first, fee: 100, tip: 50 })
    expect(reason(first)).toBe('Another transaction with its nonce took its place.')
    add({ account: 1, nonce: 0, value: 5n * 10n ** 23n })
    pool.onHead(headOf([{ address: senderOf(1), ...rich, balance: 10n ** 23n }]))
    expect(reason({ account: 1, nonce: 0, value: 5n * 10n ** 23n })).toBe(
      'The balance of its account no longer covers it.',
    )
    pool.onHead(headOf([{ address: senderOf(1), ...rich }]))
    add({ account: 1, nonce: 0, value: 5n * 10n ** 23n })
    expect(reason({ account: 1, nonce: 0, value: 5n * 10n ** 23n })).toBe('It can go into the next block.')
    add({ account: 2, nonce: 0 })
    pool.discard([{ hash: hashOf({ account: 2, nonce: 0 }), reason: 'invalid', detail: '' }])
    expect(reason({ account: 2, nonce: 0 })).toBe('The build of a block found that it cannot be executed.')
    add({ account: 3, nonce: 0 })
    const tooSlow = { hash: hashOf({ account: 3, nonce: 0 }), reason: 'too-slow', detail: '' } as const
    for (let builds = 0; builds < 2; builds++) expect(pool.discard([tooSlow])).toEqual([])
    expect(reason({ account: 3, nonce: 0 })).toBe('It can go into the next block.')
    pool.discard([tooSlow])
    expect(reason({ account: 3, nonce: 0 })).toBe('Its execution takes longer than a block may take here.')
    expect(add({ account: 3, nonce: 0 })).toBe('execution takes too long for a block')
    expect(add({ account: 2, nonce: 0 })).toBe('pending')
  })

  it('is forgotten with the transaction, and never told of one that was included', () => {
    const { pool, add } = createPool({ maxRecent: 1 })
    add(first)
    add({ ...first, fee: 100, tip: 50 })
    pool.onHead(headOf([{ address: senderOf(0), ...rich, nonce: 1 }]))
    expect(pool.fate(hashOf(first))).toBeNull()
    expect(pool.fate(hashOf({ ...first, fee: 100, tip: 50 }))).toBeNull()
  })
})

describe('selection', () => {
  it('takes the best tip first, in nonce order, ties by arrival', () => {
    const { add, selected } = createPool()
    add({ account: 0, nonce: 0, tip: 1 })
    add({ account: 0, nonce: 1, tip: 50 })
    add({ account: 1, nonce: 0, tip: 10 })
    add({ account: 2, nonce: 0, tip: 10 })
    add({ account: 3, nonce: 0, fee: 30, tip: 20 })
    const order = (accounts: [number, number][]) => accounts.map(([account, nonce]) => ({ account, nonce }))
    expect(selected()).toEqual(
      order([
        [3, 0],
        [1, 0],
        [2, 0],
        [0, 0],
        [0, 1],
      ]),
    )
    // At a base fee of 25 the fourth pays a tip of 5, at 31 nothing.
    expect(selected({ baseFee: 25n })).toEqual(
      order([
        [1, 0],
        [2, 0],
        [3, 0],
        [0, 0],
        [0, 1],
      ]),
    )
    expect(selected({ baseFee: 31n })).toEqual(
      order([
        [1, 0],
        [2, 0],
        [0, 0],
        [0, 1],
      ]),
    )
    expect(selected({ maxGas: 50_000 })).toEqual(
      order([
        [3, 0],
        [1, 0],
      ]),
    )
    expect(selected({ maxBytes: 330 })).toHaveLength(3)
  })
})

describe('discard after a build', () => {
  const hash = (nonce: number) => recoveredTransfer({ account: 0, nonce }).hash
  it('chooses after all others what comes from who took too long, until it has something included', () => {
    const { pool, add, selected } = createPool()
    for (const nonce of [0, 1]) add({ account: 0, nonce, tip: 50 })
    add({ account: 1, nonce: 0, tip: 10 })
    const accounts = () => selected().map(({ account }) => account)
    expect(accounts()).toEqual([0, 0, 1])
    const [{ hash }] = pool.account(senderOf(0))!.pending as [PooledTransaction]
    pool.discard([{ hash, reason: 'too-slow', detail: '' }])
    expect(accounts()).toEqual([1, 0, 0])
    pool.onHead(headOf([{ address: senderOf(0), ...rich, nonce: 1 }]))
    add({ account: 0, nonce: 2, tip: 50 })
    expect(accounts()).toEqual([0, 0, 1])
  })

  it('drops the invalid, holds back followers, leaves what had no room', () => {
    const { pool, add, nonces } = createPool()
    for (const nonce of [0, 1, 2]) add({ account: 0, nonce })
    expect(
      pool.discard([
        { hash: hash(0), reason: 'no-room', detail: '' },
        { hash: hash(1), reason: 'invalid', detail: '' },
        { hash: hash(2), reason: 'nonce-too-high', detail: '' },
      ]),
    ).toEqual([])
    expect(nonces(0)).toEqual({ pending: [0], queued: [2] })
  })

  it('asks for the state again when the first nonce was wrong', () => {
    const { pool, add } = createPool()
    add({ account: 0, nonce: 0 })
    expect(pool.discard([{ hash: hash(0), reason: 'nonce-too-high', detail: '' }])).toEqual([senderOf(0)])
    expect(pool.status().pending).toBe(1)
    expect(pool.discard([{ hash: hash(0), reason: 'nonce-too-low', detail: '' }])).toEqual([senderOf(0)])
    expect(pool.status().pending).toBe(0)
  })
})

const small: Partial<PoolLimits> = {
  maxPendingPerAccount: 3,
  maxQueuedPerAccount: 2,
  maxPending: 6,
  maxQueued: 4,
  maxBytes: 1_200,
  maxIdleAccounts: 1_000,
  maxRecent: 5,
}
const action = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      account: fc.nat(3),
      nonce: fc.nat(7),
      tip: fc.integer({ min: 1, max: 40 }),
      fee: fc.integer({ min: 40, max: 120 }),
      value: fc.constantFrom(0n, 1n, 3_000_000n),
      isLocal: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('head' as const),
      account: fc.nat(3),
      nonce: fc.nat(7),
      balance: fc.constantFrom(0n, 2_000_000n, 8_000_000n, 10n ** 20n),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('discard' as const), at: fc.nat(5) }) },
)

describe('whatever happens', () => {
  it('pending is contiguous, sums are right, limits hold, selection is executable', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), actions => {
        const { pool } = createPool(small)
        for (const step of actions) {
          if (step.kind === 'add') {
            const { account, nonce, tip, fee, value } = step
            pool.add(recoveredTransfer({ account, nonce, tip, fee, value }), {
              source: step.isLocal ? 'local' : 'peer',
              nowMs: 0,
            })
          } else if (step.kind === 'head') {
            const { nonce, balance } = step
            pool.onHead(headOf([{ address: senderOf(step.account), nonce, balance, hasCode: false }]))
          } else {
            const victim = [...pool.activeAccounts()].flatMap(account => account.pending)[step.at]
            if (victim) pool.discard([{ hash: victim.hash, reason: 'invalid', detail: '' }])
          }
          checkInvariants(pool)
        }
      }),
      { numRuns: 300 },
    )
  })
})

function checkInvariants(pool: TransactionPool): void {
  const accounts = [...pool.activeAccounts()]
  const pending = accounts.flatMap(account => account.pending)
  const queued = accounts.flatMap(account => account.queuedInOrder())
  for (const account of accounts) {
    expect(account.pending.map(transaction => transaction.nonce)).toEqual(
      account.pending.map((_, i) => account.nonce + i),
    )
    expect(account.pendingCost).toBe(account.pending.reduce((sum, transaction) => sum + transaction.cost, 0n))
    expect(account.pending.length).toBeLessThanOrEqual(3)
    expect(account.pending.length + account.queued.size).toBeLessThanOrEqual(5)
    for (const [nonce, transaction] of account.queued) {
      expect(transaction.nonce).toBe(nonce)
      // Only a full account leaves an executable one waiting.
      expect(nonce).toBeGreaterThanOrEqual(account.nextNonce + (account.pending.length === 3 ? 0 : 1))
    }
  }
  for (const transaction of pending) expect(transaction.place).toBe('pending')
  for (const transaction of queued) expect(transaction.place).toBe('queued')
  const all = [...pending, ...queued]
  expect(pool.status()).toEqual({
    pending: pending.length,
    queued: queued.length,
    bytes: all.reduce((sum, transaction) => sum + transaction.raw.length, 0),
  })
  expect(all.length).toBeLessThanOrEqual(10)
  expect(pool.status().bytes).toBeLessThanOrEqual(1_200)
  expect(new Set(pool.locals)).toEqual(new Set(all.filter(transaction => transaction.isLocal)))
  for (const transaction of all) expect(pool.known.find(transaction.raw)).toBe(transaction)
  checkSelection(pool, pending)
}

/** The selection against a model: again and again the best of the accounts' next ones. */
function checkSelection(pool: TransactionPool, pending: readonly PooledTransaction[]): void {
  const baseFee = 50
  const expected: Uint8Array[] = []
  const rest = new Map<string, PooledTransaction[]>()
  for (const transaction of pending)
    rest.set(transaction.sender, [...(rest.get(transaction.sender) ?? []), transaction])
  for (;;) {
    const next = [...rest.values()].flatMap(list => list.slice(0, 1)).filter(({ fee }) => fee >= baseFee)
    next.sort((a, b) => b.effectiveTip(baseFee) - a.effectiveTip(baseFee) || a.arrival - b.arrival)
    const best = next[0]
    if (best === undefined) break
    expected.push(best.raw)
    rest.get(best.sender)!.shift()
  }
  const { transactions } = pool.select({ baseFee: BigInt(baseFee), maxGas: 1e9, maxBytes: 1e9 })
  expect(transactions).toEqual(expected)
}
