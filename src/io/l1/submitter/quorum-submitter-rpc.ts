import type { Clock } from '../../time/clock.js'
import { L1Error } from '../l1-error.js'
import { inTime } from '../rpc/in-time.js'
import type { SendAnswer } from './l1-transaction-sender.js'
import type { SubmitterRpc } from './submitter-rpc.js'

/** Milliseconds that an endpoint has to take a transaction: blobs are megabytes. */
export const sendTimeoutMs = 30_000
/** Milliseconds that an endpoint has for any other answer. */
const answerTimeoutMs = 5_000
/** Where no quorum says the same: one that took the transaction may have it mined, which outranks what the others say. */
const sendAnswers: readonly SendAnswer[] = ['taken', 'underpriced', 'other-kind', 'nonce-used']

/** What endpoints answered. */
interface Answers<Value> {
  readonly given: readonly Value[]
  readonly failures: readonly unknown[]
  /** What a quorum gave alike, or undefined. */
  readonly agreed: Value | undefined
}

/**
 * Several L1 nodes as one. As long as a quorum is honest, no number is taken that is above what an honest one says or below what all
 * of them say, and no receipt or refusal that a quorum does not say alike; a transaction goes to all. Nothing here is urgent: what
 * no quorum says alike waits until all have answered, or their time is up. L1Error L1_NO_QUORUM when too few answer, or answer alike.
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
  /** Resolves when all endpoints answered or failed, or a quorum gave answers of one digest. */
  const ask = <Value>(
    request: (endpoint: SubmitterRpc) => Promise<Value>,
    digest: (value: Value) => string,
    timeoutMs = answerTimeoutMs,
  ): Promise<Answers<Value>> =>
    new Promise(resolve => {
      const given: Value[] = []
      const failures: unknown[] = []
      const look = () => {
        const agreed = given.find(value => given.filter(other => digest(other) === digest(value)).length >= quorum)
        if (agreed !== undefined || given.length + failures.length === endpoints.length)
          resolve({ given: [...given], failures, agreed })
      }
      for (const endpoint of endpoints)
        inTime(request(endpoint), timeoutMs, clock)
          .then(
            value => given.push(value),
            error => failures.push(error),
          )
          .then(look)
    })

  const askQuorum = async <Value>(
    what: string,
    request: (endpoint: SubmitterRpc) => Promise<Value>,
    digest: (value: Value) => string,
  ): Promise<Answers<Value>> => {
    const answers = await ask(request, digest)
    const { given, failures } = answers
    if (given.length >= quorum) return answers
    const data = { what, answers: given.length, quorum }
    throw new L1Error('L1_NO_QUORUM', 'too few L1 endpoints answer', data, { cause: failures[0] })
  }

  /** The lower middle of answers, those of a whole honest quorum among them: within the honest ones, whatever the others are. */
  const middle = <Amount extends number | bigint>(given: readonly Amount[]): Amount => {
    const rank = Math.min((given.length - 1) >> 1, given.length - (endpoints.length - quorum) - 1)
    return [...given].sort((a, b) => (a < b ? -1 : 1))[rank]!
  }

  const number = async (what: string, request: (endpoint: SubmitterRpc) => Promise<number>): Promise<number> =>
    middle((await askQuorum(what, request, String)).given)

  return {
    nonce: () => number('nonce', endpoint => endpoint.nonce()),
    blockNumber: () => number('blockNumber', endpoint => endpoint.blockNumber()),
    async prices() {
      const digest = (prices: object) => Object.values(prices).join()
      const { given } = await askQuorum('prices', endpoint => endpoint.prices(), digest)
      return {
        baseFee: middle(given.map(prices => prices.baseFee)),
        priorityFee: middle(given.map(prices => prices.priorityFee)),
        blobBaseFee: middle(given.map(prices => prices.blobBaseFee)),
      }
    },
    async send(raw) {
      const { given, failures, agreed } = await ask(endpoint => endpoint.send(raw), String, sendTimeoutMs)
      const answer = agreed ?? sendAnswers.find(one => given.includes(one))
      if (answer) return answer
      throw failures[0]
    },
    async receipt(hash) {
      const { agreed } = await askQuorum('receipt', endpoint => endpoint.receipt(hash), JSON.stringify)
      return agreed ?? null
    },
    async refusal(call) {
      const nameOf = (refusal: { errorName: string } | null) => refusal?.errorName ?? 'accepted'
      const { given, agreed } = await askQuorum('eth_call', endpoint => endpoint.refusal(call), nameOf)
      if (agreed !== undefined) return agreed
      const said = given.map(nameOf)
      throw new L1Error('L1_NO_QUORUM', 'too few L1 endpoints agree on whether the contract takes a call', { said })
    },
  }
}
