import type { Clock } from '../time/clock.js'
import { L1Error } from './l1-error.js'
import type { SendAnswer } from './l1-transaction-sender.js'
import type { SubmitterRpc } from './submitter-rpc.js'

/** What one of the endpoints answered, or why it did not. */
type Answer<Value> = { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly error: unknown }

/** Milliseconds that the others have to answer once a quorum did. */
const graceMs = 250
const sendAnswers: readonly SendAnswer[] = ['taken', 'underpriced', 'other-kind', 'nonce-used']

/**
 * Several L1 nodes as one. As long as a quorum is honest, no number is taken that is above what an honest one says, and no receipt or
 * refusal that a quorum does not say alike; a transaction goes to all. L1Error L1_NO_QUORUM when too few answer, or answer alike.
 */
export function createQuorumSubmitterRpc({
  endpoints,
  quorum,
  clock,
}: {
  endpoints: readonly SubmitterRpc[]
  quorum: number
  clock: Clock
}): SubmitterRpc {
  const ask = <Value>(request: (endpoint: SubmitterRpc) => Promise<Value>) =>
    answersOf({ requests: endpoints.map(request), quorum, clock })

  const values = async <Value>(what: string, request: (endpoint: SubmitterRpc) => Promise<Value>): Promise<Value[]> => {
    const answers = await ask(request)
    const given = answers.filter(answer => answer.ok).map(({ value }) => value)
    if (given.length >= quorum) return given
    const failed = answers.find(answer => !answer.ok)
    const data = { what, answers: given.length, quorum }
    throw new L1Error('L1_NO_QUORUM', 'too few L1 endpoints answer', data, { cause: failed?.error })
  }

  /** The lower middle of honest answers and others: with those at most `endpoints − quorum` it is not above every honest one. */
  const middle = <Amount extends number | bigint>(given: readonly Amount[]): Amount => {
    const rank = Math.min((given.length - 1) >> 1, given.length - (endpoints.length - quorum) - 1)
    return [...given].sort((a, b) => (a < b ? -1 : 1))[rank]!
  }

  /** The value that a quorum gave alike, or undefined. */
  const agreed = <Value>(given: readonly Value[], digest: (value: Value) => string): Value | undefined =>
    given.find(value => given.filter(other => digest(other) === digest(value)).length >= quorum)

  return {
    nonce: async () => middle(await values('nonce', endpoint => endpoint.nonce())),
    blockNumber: async () => middle(await values('blockNumber', endpoint => endpoint.blockNumber())),
    async prices() {
      const given = await values('prices', endpoint => endpoint.prices())
      return {
        baseFee: middle(given.map(prices => prices.baseFee)),
        priorityFee: middle(given.map(prices => prices.priorityFee)),
        blobBaseFee: middle(given.map(prices => prices.blobBaseFee)),
      }
    },
    // One that took it may have it mined: that answer outranks the others.
    async send(raw) {
      const answers = await ask(endpoint => endpoint.send(raw))
      const given = answers.filter(answer => answer.ok).map(({ value }) => value)
      const answer = sendAnswers.find(one => given.includes(one))
      if (answer) return answer
      throw answers.find(one => !one.ok)!.error
    },
    async receipt(hash) {
      const given = await values('receipt', endpoint => endpoint.receipt(hash))
      return agreed(given, receipt => JSON.stringify(receipt)) ?? null
    },
    async refusal(call) {
      const given = await values('eth_call', endpoint => endpoint.refusal(call))
      const refusal = agreed(given, one => one?.errorName ?? '')
      if (refusal !== undefined) return refusal
      const said = given.map(one => one?.errorName ?? 'accepted')
      throw new L1Error('L1_NO_QUORUM', 'too few L1 endpoints agree on whether the contract takes a call', { said })
    },
  }
}

/** Resolves with what came when all have answered, or a moment after a quorum did; failures are answers too. */
function answersOf<Value>({
  requests,
  quorum,
  clock,
}: {
  requests: readonly Promise<Value>[]
  quorum: number
  clock: Clock
}): Promise<readonly Answer<Value>[]> {
  return new Promise(resolve => {
    const answers: Answer<Value>[] = []
    let given = 0
    let cancel = () => {}
    const add = (answer: Answer<Value>) => {
      answers.push(answer)
      if (answer.ok) given++
      if (answers.length === requests.length) {
        cancel()
        resolve(answers)
      } else if (answer.ok && given === quorum) cancel = clock.schedule(graceMs, () => resolve([...answers]))
    }
    for (const request of requests)
      request.then(
        value => add({ ok: true, value }),
        error => add({ ok: false, error }),
      )
  })
}
