import type { L1BlockNumber } from '../../../base/primitives/quantities.js'
import type { Clock } from '../../time/clock.js'
import type { L1Block } from '../l1-client.js'
import { EndpointQuestion } from './endpoint-question.js'
import { blockDigest } from './l1-answer-digest.js'
import { type EndpointAnswer, judge, largestGroup, type Named } from './named-answer.js'
import type { WatchedEndpoint } from './watched-endpoint.js'

/** Blocks below the lowest tip that are compared to find where forked endpoints still agree. */
const maxForkBlocks = 32

type Tip = EndpointAnswer<Named<L1Block>>

/**
 * Looks for the highest block that a quorum of endpoints has on its chain. First at the heights that they tell, again
 * whenever another tells its own; below those only when everybody was heard, for only then do forks explain it.
 */
export class TipSearch {
  /** Those that told a tip and then not which blocks are below it: they cost their time limit once. */
  private readonly silent = new Set<WatchedEndpoint>()

  constructor(
    private readonly args: {
      /** `head` or `finalized`. */
      readonly what: string
      readonly told: EndpointQuestion<Named<L1Block>>
      readonly quorum: number
      /** Milliseconds for all that is compared below the tips. */
      readonly forkLimitMs: number
      readonly clock: Clock
    },
  ) {}

  /** The highest block that a quorum has at a height that was told, or null. */
  async atTips(): Promise<L1Block | null> {
    const { told } = this.args
    for (;;) {
      const tips = told.answers
      const isNews = () => told.answers.length > tips.length
      for (const number of this.heightsOf(tips)) {
        const block = await this.agreedAt(number, tips)
        if (block) return block
        if (isNews()) break
      }
      if (!isNews()) return null
    }
  }

  /** The highest block below all tips that a quorum has, or null. */
  async belowTips(): Promise<L1Block | null> {
    const { told, quorum, clock, forkLimitMs } = this.args
    const untilMs = clock.nowMs() + forkLimitMs
    const tips = told.answers
    if (tips.length < quorum) return null
    const lowest = Math.min(...tips.map(({ value }) => value.value.number))
    const end = Math.max(0, lowest - maxForkBlocks)
    for (let number = lowest - 1; number >= end && clock.nowMs() < untilMs; number--) {
      const block = await this.agreedAt(number, tips)
      if (block) return block
    }
    return null
  }

  /** The heights that were told, highest first, from the highest that a quorum has reached. */
  private heightsOf(tips: readonly Tip[]): number[] {
    const numbers = tips.map(({ value }) => value.value.number).sort((a, b) => b - a)
    return [...new Set(numbers.slice(this.args.quorum - 1))]
  }

  private async agreedAt(number: L1BlockNumber, tips: readonly Tip[]): Promise<L1Block | null> {
    const { what, told, quorum } = this.args
    const high = tips.filter(({ endpoint, value }) => value.value.number >= number && !this.silent.has(endpoint))
    if (high.length < quorum) return null
    const question = this.blockOf(number, high)
    const found = () => largestGroup(question.answers, quorum)
    while (!found() && !question.isOver && told.answers.length === tips.length)
      await Promise.race([question.next(), told.next()])
    question.eachReply(({ ok, endpoint }) => {
      if (!ok) this.silent.add(endpoint)
    })
    const winner = found()
    if (!winner?.value) return null
    question.eachReply(reply => judge({ reply, digest: winner.digest, what }))
    return winner.value
  }

  /** Asks each of these endpoints for its block of that number, but those that told it already. */
  private blockOf(number: L1BlockNumber, tips: readonly Tip[]): EndpointQuestion<Named<L1Block | null>> {
    const tipOf = new Map(tips.map(({ endpoint, value }) => [endpoint, value]))
    const question = new EndpointQuestion(this.args.clock, endpoint =>
      endpoint.ask(async (reader): Promise<Named<L1Block | null>> => {
        const tip = tipOf.get(endpoint)
        if (tip?.value.number === number) return tip
        const block = await reader.block(number)
        return { value: block, digest: blockDigest(block) }
      }),
    )
    question.put([...tipOf.keys()])
    return question
  }
}
