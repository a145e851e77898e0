import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Clock, pause } from '../../time/clock.js'
import { VirtualClock } from '../../time/virtual-clock.js'
import { L1Error } from '../l1-error.js'
import { createQuorumSubmitterRpc } from './quorum-submitter-rpc.js'
import type { SubmitterRpc } from './submitter-rpc.js'

const hash = `0x${'ab'.repeat(32)}` as const
const call = { data: '0x12', gasLimit: 1n, blobVersionedHashes: [] } as const
const gone = () => Promise.reject(new L1Error('L1_UNREACHABLE', 'gone'))
const silent = () => new Promise<never>(() => {})

/** An endpoint that tells one number for everything, or fails, or never answers. */
function endpoint(answer: number | 'gone' | 'silent', more: Partial<SubmitterRpc> = {}): SubmitterRpc {
  const tell = <Value>(value: Value): Promise<Value> =>
    answer === 'gone' ? gone() : answer === 'silent' ? silent() : Promise.resolve(value)
  const number = Number(answer)
  const wei = Number.isNaN(number) ? 0n : BigInt(number)
  return {
    nonce: () => tell(number),
    blockNumber: () => tell(number),
    prices: () => tell({ baseFee: wei, priorityFee: wei, blobBaseFee: wei }),
    send: () => tell('taken'),
    receipt: () => tell({ status: 'success', l1BlockNumber: number }),
    refusal: () => tell(null),
    ...more,
  }
}

/** An endpoint that answers only after some time. */
function slow(endpoint: SubmitterRpc, delayMs: number, clock: Clock): SubmitterRpc {
  const later =
    <Args extends unknown[], Value>(request: (...args: Args) => Promise<Value>) =>
    async (...args: Args) => {
      await pause(clock, delayMs)
      return request(...args)
    }
  return {
    nonce: later(endpoint.nonce),
    blockNumber: later(endpoint.blockNumber),
    prices: later(endpoint.prices),
    send: later(endpoint.send),
    receipt: later(endpoint.receipt),
    refusal: later(endpoint.refusal),
  }
}

/** Asks; what has not come after a minute counts as never. */
async function ask<Value>(
  endpoints: readonly SubmitterRpc[],
  request: (rpc: SubmitterRpc) => Promise<Value>,
  { quorum = (endpoints.length >> 1) + 1, delaysMs = [] }: { quorum?: number; delaysMs?: readonly number[] } = {},
): Promise<Value> {
  const clock = new VirtualClock()
  const late = endpoints.map((endpoint, i) => slow(endpoint, delaysMs[i] ?? 0, clock))
  const answer = request(createQuorumSubmitterRpc({ endpoints: late, quorum, clock }))
  answer.catch(() => {})
  await clock.advance(60_000)
  return Promise.race([answer, Promise.reject(new Error('no answer'))])
}

describe('numbers of several endpoints', () => {
  const honest = fc.integer({ min: 100, max: 120 })
  const liar = fc.oneof(fc.integer({ min: 0, max: 1_000_000 }), fc.constantFrom('gone' as const, 'silent' as const))
  const scene = fc.integer({ min: 1, max: 7 }).chain(count =>
    fc.integer({ min: (count >> 1) + 1, max: count }).chain(quorum =>
      fc.record({
        quorum: fc.constant(quorum),
        honest: fc.array(honest, { minLength: quorum, maxLength: quorum }),
        others: fc.array(liar, { minLength: count - quorum, maxLength: count - quorum }),
        turn: fc.nat(count),
        delaysMs: fc.array(fc.integer({ min: 0, max: 4_900 }), { minLength: count, maxLength: count }),
      }),
    ),
  )

  it('are never above what an honest one tells, whatever the others tell; nor below when all answer', async () => {
    await fc.assert(
      fc.asyncProperty(scene, async ({ quorum, honest: told, others, turn, delaysMs }) => {
        const all = [...told, ...others]
        const endpoints = [...all.slice(turn), ...all.slice(0, turn)].map(answer => endpoint(answer))
        const { baseFee, priorityFee, blobBaseFee } = await ask(endpoints, rpc => rpc.prices(), { quorum, delaysMs })
        const nonce = await ask(endpoints, rpc => rpc.nonce(), { quorum, delaysMs })
        expect([priorityFee, blobBaseFee, BigInt(nonce)]).toEqual([baseFee, baseFee, baseFee])
        expect(nonce).toBeLessThanOrEqual(Math.max(...told))
        expect(nonce).toBeGreaterThanOrEqual(Math.min(...told))
      }),
    )
  })

  it('are not taken from fewer than a quorum, and the error holds why the others failed', async () => {
    for (const endpoints of [
      [endpoint(1), endpoint('gone'), endpoint('gone')],
      [endpoint(1), endpoint('gone')],
    ])
      await expect(ask(endpoints, rpc => rpc.blockNumber())).rejects.toMatchObject({
        code: 'L1_NO_QUORUM',
        cause: { code: 'L1_UNREACHABLE' },
      })
  })

  it('do not come from a liar and the faster of those that are honest', async () => {
    const endpoints = [endpoint(0), endpoint(100), endpoint(101)]
    expect(await ask(endpoints, rpc => rpc.blockNumber(), { delaysMs: [0, 10, 4_900] })).toBe(100)
  })

  it('wait for an endpoint that hangs until its time is up, and not at all once a quorum says the same', async () => {
    const clock = new VirtualClock()
    const nonce = (...answers: (number | 'silent')[]) =>
      createQuorumSubmitterRpc({ endpoints: answers.map(answer => endpoint(answer)), quorum: 2, clock }).nonce()
    expect(await nonce('silent', 5, 5)).toBe(5)
    const differing = nonce('silent', 5, 7)
    const hanging = nonce('silent', 5, 'silent').catch((error: L1Error) => error)
    await clock.advance(5_000)
    expect(await differing).toBe(5)
    expect(await hanging).toMatchObject({ code: 'L1_NO_QUORUM', cause: { code: 'L1_UNREACHABLE' } })
  })
})

describe('a transaction', () => {
  const send = (...answers: ('taken' | 'underpriced' | 'other-kind' | 'nonce-used' | 'gone')[]) =>
    ask(
      answers.map(answer => endpoint(0, { send: answer === 'gone' ? gone : async () => answer })),
      rpc => rpc.send(Uint8Array.of(1)),
    )

  it('counts as what a quorum says of it, though another took it', async () => {
    for (const answer of ['underpriced', 'other-kind', 'nonce-used'] as const)
      expect(await send('taken', answer, answer)).toBe(answer)
    expect(await send('nonce-used', 'taken', 'taken')).toBe('taken')
  })

  it('goes to all, and counts as taken when one took it', async () => {
    expect(await send('nonce-used', 'underpriced', 'taken')).toBe('taken')
    expect(await send('gone', 'gone', 'taken')).toBe('taken')
    expect(await send('gone', 'nonce-used', 'underpriced')).toBe('underpriced')
    await expect(send('gone', 'gone', 'gone')).rejects.toMatchObject({ code: 'L1_UNREACHABLE' })
  })

  it('has longer to arrive than an answer, for blobs are megabytes', async () => {
    const clock = new VirtualClock()
    const sendIn = (delayMs: number) => {
      const endpoints = [1, 2, 3].map(number => slow(endpoint(number), delayMs, clock))
      return createQuorumSubmitterRpc({ endpoints, quorum: 2, clock }).send(Uint8Array.of(1))
    }
    const inTime = sendIn(29_000)
    const late = sendIn(31_000).catch((error: L1Error) => error)
    await clock.advance(40_000)
    expect(await inTime).toBe('taken')
    expect(await late).toMatchObject({ code: 'L1_UNREACHABLE' })
  })
})

describe('what only a quorum can say', () => {
  const receipt = (...blocks: (number | null)[]) =>
    ask(
      blocks.map(block =>
        endpoint(0, { receipt: async () => (block === null ? null : { status: 'success', l1BlockNumber: block }) }),
      ),
      rpc => rpc.receipt(hash),
    )
  const refusal = (...names: (string | null)[]) =>
    ask(
      names.map(name =>
        endpoint(0, {
          refusal: async () => (name === null ? null : { errorName: name, detail: `${name}(${Math.random()})` }),
        }),
      ),
      rpc => rpc.refusal(call),
      { delaysMs: [0, 100, 4_900] },
    )

  it('is that a transaction is in a block', async () => {
    expect(await receipt(7, null, null)).toBeNull()
    expect(await receipt(7, 8, null)).toBeNull()
    expect(await receipt(9, 7, 7)).toEqual({ status: 'success', l1BlockNumber: 7 })
  })

  it('is that the contract refuses a call', async () => {
    expect(await refusal('NotYourTurn', null, null)).toBeNull()
    expect(await refusal(null, 'NotYourTurn', 'NotYourTurn')).toMatchObject({ errorName: 'NotYourTurn' })
    await expect(refusal(null, 'NotYourTurn', 'WrongParent')).rejects.toMatchObject({
      code: 'L1_NO_QUORUM',
      data: { said: ['accepted', 'NotYourTurn', 'WrongParent'] },
    })
  })
})
