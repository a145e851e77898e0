import { type Hash32, zeroHash } from '../../../base/primitives/hashes.js'
import { invariant } from '../../../base/primitives/invariant.js'
import type { BatchIndex, L1BlockNumber, SetId } from '../../../base/primitives/quantities.js'
import type { SequencerSet } from '../../../base/protocol/sequencer-set.js'
import type { Logger } from '../../telemetry/logger.js'
import type { Metrics } from '../../telemetry/metrics.js'
import type { Clock } from '../../time/clock.js'
import type { CommittedBatch, L1Block, L1Event, L1Reader } from '../l1-client.js'
import { L1Error } from '../l1-error.js'
import { EndpointQuestion } from './endpoint-question.js'
import {
  blockDigest,
  committedBatchDigest,
  eventsDigest,
  numberDigest,
  sequencerSetDigest,
} from './l1-answer-digest.js'
import { isQuorum, majorityOf } from './l1-quorum.js'
import { judge, largestGroup, type Named } from './named-answer.js'
import { TipSearch } from './tip-search.js'
import { type Reply, WatchedEndpoint } from './watched-endpoint.js'

export interface QuorumL1ReaderConfig {
  /** Endpoints that must give the same answer: more than half of them; the least such number unless told. */
  readonly quorum?: number
  /** Milliseconds that an endpoint has for one answer; 5,000 unless told. */
  readonly timeoutMs?: number
  /** Milliseconds that the others have to tell their head once a quorum told theirs; 250 unless told. */
  readonly graceMs?: number
}

export interface QuorumL1ReaderPorts {
  /** URLs name endpoints in logs and errors, without the keys that they may hold. */
  readonly endpoints: readonly { readonly url: string; readonly reader: L1Reader }[]
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/**
 * Reads L1 through several endpoints and believes what a quorum of them says. As long as a quorum is honest, nothing that the
 * others invent, hide or delay is ever returned, and answers keep coming. L1Error L1_NO_QUORUM says who said what.
 */
export function createQuorumL1Reader({
  config,
  ports,
}: {
  config: QuorumL1ReaderConfig
  ports: QuorumL1ReaderPorts
}): L1Reader {
  const { length } = ports.endpoints
  const quorum = config.quorum ?? majorityOf(length)
  invariant(isQuorum(quorum, length), 'a quorum is more than half of the L1 endpoints', { quorum, endpoints: length })
  return new QuorumL1Reader({ quorum, timeoutMs: 5_000, graceMs: 250, ...config }, ports)
}

interface AgreedRequest<Value> {
  /** For the error and the log. */
  readonly what: string
  readonly request: (reader: L1Reader) => Promise<Value>
  readonly digest: (value: Value) => Hash32
}

class QuorumL1Reader implements L1Reader {
  private readonly endpoints: readonly WatchedEndpoint[]

  constructor(
    private readonly config: Required<QuorumL1ReaderConfig>,
    private readonly ports: QuorumL1ReaderPorts,
  ) {
    const { timeoutMs } = config
    this.endpoints = ports.endpoints.map(
      ({ url, reader }, index) => new WatchedEndpoint({ index, url, timeoutMs }, { ...ports, reader }),
    )
  }

  /** The highest block that a quorum has on its chain. */
  head(): Promise<L1Block> {
    return this.agreedTip('head')
  }

  /** The highest block that a quorum has on its chain and holds to be final. */
  finalized(): Promise<L1Block> {
    return this.agreedTip('finalized')
  }

  block(number: L1BlockNumber): Promise<L1Block | null> {
    return this.agreed({ what: `block ${number}`, request: reader => reader.block(number), digest: blockDigest })
  }

  async events({ from, to }: { from: L1BlockNumber; to: L1BlockNumber }): Promise<L1Event[]> {
    if (to < from) return []
    const what = `events of ${from} to ${to}`
    const answer = await this.agreed({
      what,
      request: async reader => {
        const events = await reader.events({ from, to })
        const last = await reader.block(to)
        return last && { events, lastHash: last.hash }
      },
      digest: eventsDigest,
    })
    if (!answer) throw new L1Error('L1_NO_QUORUM', 'too few L1 endpoints have the last block of a range', { from, to })
    return answer.events
  }

  committedBatch(transactionHash: Hash32): Promise<CommittedBatch | null> {
    return this.agreed({
      what: `batch of ${transactionHash}`,
      request: reader => reader.committedBatch(transactionHash),
      digest: committedBatchDigest,
    })
  }

  /** Blobs are checked against their versioned hashes by each reader: one endpoint that has them is enough. */
  async blobs(args: { l1BlockNumber: L1BlockNumber; versionedHashes: readonly Hash32[] }): Promise<Uint8Array[]> {
    const failures: Reply<unknown>[] = []
    for (const endpoint of new Set([...this.active(), ...this.endpoints])) {
      const reply = await endpoint.ask(reader => reader.blobs(args))
      if (reply.ok) return reply.value
      failures.push(reply)
    }
    throw this.noQuorum('blobs', failures)
  }

  sequencerSet(setId: SetId): Promise<SequencerSet | null> {
    return this.agreed({
      what: `set ${setId}`,
      request: reader => reader.sequencerSet(setId),
      digest: sequencerSetDigest,
    })
  }

  lastCommittedBatch(): Promise<BatchIndex> {
    return this.reached('last committed batch', reader => reader.lastCommittedBatch())
  }

  lastFinalizedBatch(): Promise<BatchIndex> {
    return this.reached('last finalized batch', reader => reader.lastFinalizedBatch())
  }

  committedAt(batchIndex: BatchIndex): Promise<number | null> {
    return this.agreed({
      what: `commit time of batch ${batchIndex}`,
      request: reader => reader.committedAt(batchIndex),
      digest: numberDigest,
    })
  }

  /** The answer that a quorum gives identically. */
  private async agreed<Value>({ what, request, digest }: AgreedRequest<Value>): Promise<Value> {
    const question = this.question(async (reader): Promise<Named<Value>> => {
      const value = await request(reader)
      return { value, digest: digest(value) }
    })
    const winner = await this.winner(question)
    if (!winner) throw this.noQuorum(what, question.replies, ({ digest: of }) => (of === zeroHash ? 'none' : of))
    question.eachReply(reply => judge({ reply, digest: winner.digest, what }))
    return winner.value
  }

  /** Asks those that failed lately too when the others do not agree. */
  private async winner<Value>(question: EndpointQuestion<Named<Value>>): Promise<Named<Value> | null> {
    const { quorum } = this.config
    const found = () => largestGroup(question.answers, quorum)
    question.put(this.active())
    await question.until(() => found() !== null)
    if (found()) return found()
    question.put(this.endpoints)
    await question.until(() => found() !== null)
    return found()
  }

  /** The highest value of a count that only grows which a quorum has reached. */
  private async reached(what: string, request: (reader: L1Reader) => Promise<number>): Promise<number> {
    const question = await this.tips(request)
    const values = question.answers.map(({ value }) => value).sort((a, b) => b - a)
    const value = values[this.config.quorum - 1]
    if (value === undefined) throw this.noQuorum(what, question.replies, String)
    return value
  }

  private async agreedTip(kind: 'head' | 'finalized'): Promise<L1Block> {
    const { quorum, timeoutMs } = this.config
    const told = await this.tips(async reader => {
      const block = await reader[kind]()
      return { value: block, digest: blockDigest(block) }
    })
    const search = new TipSearch({ what: kind, told, quorum, forkLimitMs: timeoutMs, clock: this.ports.clock })
    let agreed = await search.atTips()
    // Somebody is ahead: those who are slow may be there too.
    if (told.answers.some(({ value }) => value.value.number > (agreed?.number ?? -1)) && !told.isOver) {
      await told.until(() => false)
      agreed = await search.atTips()
    }
    if (!agreed) {
      told.put(this.endpoints)
      // A request of an honest endpoint may fail too.
      told.repeat()
      await told.until(() => false)
      agreed = (await search.atTips()) ?? (await search.belowTips())
    }
    if (!agreed) throw this.noQuorum(kind, told.replies, ({ value }) => `${value.number} ${value.hash}`)
    if (kind === 'head')
      told.eachReply(reply => {
        if (reply.ok) reply.endpoint.lags(agreed.number - reply.value.value.number)
      })
    return agreed
  }

  /** Waits for a quorum of answers that move, and a moment longer for those of the others. */
  private async tips<Value>(request: (reader: L1Reader) => Promise<Value>): Promise<EndpointQuestion<Value>> {
    const { quorum, graceMs } = this.config
    const question = this.question(request)
    const enough = () => question.answers.length >= quorum
    question.put(this.active())
    await question.until(enough)
    if (!enough()) {
      question.put(this.endpoints)
      await question.until(enough)
    }
    await question.until(() => false, graceMs)
    return question
  }

  private question<Value>(
    request: (reader: L1Reader, endpoint: WatchedEndpoint) => Promise<Value>,
  ): EndpointQuestion<Value> {
    return new EndpointQuestion(this.ports.clock, endpoint => endpoint.ask(reader => request(reader, endpoint)))
  }

  /** Those to ask first: all that did not fail lately, or everybody when these are too few. */
  private active(): readonly WatchedEndpoint[] {
    const active = this.endpoints.filter(endpoint => !endpoint.resting)
    return active.length >= this.config.quorum ? active : this.endpoints
  }

  private noQuorum<Value>(
    what: string,
    replies: readonly Reply<Value>[],
    describe: (value: Value) => string = () => 'an answer',
  ): L1Error {
    const said = replies.map(reply => ({
      endpoint: reply.endpoint.index,
      url: reply.endpoint.name,
      says: reply.ok ? describe(reply.value) : reply.why,
    }))
    return new L1Error('L1_NO_QUORUM', 'too few L1 endpoints agree', { what, quorum: this.config.quorum, said })
  }
}
