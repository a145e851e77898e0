import type { Logger } from '../../telemetry/logger.js'
import type { Counter, Gauge, Metrics } from '../../telemetry/metrics.js'
import type { Clock } from '../../time/clock.js'
import type { L1Reader } from '../l1-client.js'
import { inTime } from '../rpc/in-time.js'
import { redactUrl, redactUrls } from '../rpc/redact-url.js'
import { toL1Error } from '../rpc/viem-error.js'

export interface WatchedEndpointConfig {
  readonly index: number
  readonly url: string
  /** Milliseconds after which a request counts as failed. */
  readonly timeoutMs: number
}

export interface WatchedEndpointPorts {
  readonly reader: L1Reader
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/** What an endpoint answered, or why it did not. */
export type Reply<Value> =
  | { readonly endpoint: WatchedEndpoint; readonly ok: true; readonly value: Value }
  | { readonly endpoint: WatchedEndpoint; readonly ok: false; readonly why: string }

const firstRestMs = 1_000
const longestRestMs = 30_000
/** A trouble is told to be over when it did not come back for so long: an endpoint that flaps does not flood the log. */
const calmMs = 60_000

/** One L1 endpoint among several: asked with a timeout, left alone for a while after failures, watched for wrong answers. */
export class WatchedEndpoint {
  readonly index: number
  /** The URL without the keys it may hold. */
  readonly name: string
  private readonly metrics: { readonly lag: Gauge; readonly failures: Counter; readonly disagreements: Counter }
  private readonly failing: Trouble
  private readonly disagreeing: Trouble
  private restMs = 0
  private restUntilMs = 0

  constructor(
    private readonly config: WatchedEndpointConfig,
    private readonly ports: WatchedEndpointPorts,
  ) {
    this.index = config.index
    this.name = redactUrl(config.url)
    const labels = { endpoint: String(config.index) }
    const { metrics, clock, logger } = ports
    this.metrics = {
      lag: metrics.gauge('morphism_l1_endpoint_lag_blocks', 'Blocks behind the agreed head of L1', labels),
      failures: metrics.counter('morphism_l1_endpoint_failures_total', 'Requests without a usable answer', labels),
      disagreements: metrics.counter(
        'morphism_l1_endpoint_disagreements_total',
        'Answers other than those that a quorum of endpoints gave',
        labels,
      ),
    }
    const fields = { endpoint: config.index, url: this.name }
    const trouble = (begins: string, ends: string) => new Trouble({ begins, ends, fields, clock, logger })
    this.failing = trouble('an L1 endpoint fails', 'an L1 endpoint answers again')
    this.disagreeing = trouble('an L1 endpoint disagrees with the others', 'an L1 endpoint agrees again')
  }

  /** Whether it failed a short while ago and is better not asked. */
  get resting(): boolean {
    return this.ports.clock.nowMs() < this.restUntilMs
  }

  /** Puts a request to the endpoint; never rejects. */
  async ask<Value>(request: (reader: L1Reader) => Promise<Value>): Promise<Reply<Value>> {
    try {
      const value = await inTime(request(this.ports.reader), this.config.timeoutMs, this.ports.clock)
      this.restMs = 0
      this.restUntilMs = 0
      this.failing.absent()
      return { endpoint: this, ok: true, value }
    } catch (error) {
      const why = redactUrls(toL1Error(error, 'request').message)
      this.failed(why)
      return { endpoint: this, ok: false, why }
    }
  }

  /** Takes note of an answer that a quorum of endpoints gave too. */
  agreed(): void {
    this.disagreeing.absent()
  }

  /** Takes note of an answer other than the one that a quorum of endpoints gave. */
  disagreed(what: string): void {
    this.metrics.disagreements.inc()
    this.disagreeing.present({ what })
  }

  /** Takes note of how far its head is behind the agreed one, in blocks. */
  lags(blocks: number): void {
    this.metrics.lag.set(Math.max(0, blocks))
  }

  private failed(why: string): void {
    this.metrics.failures.inc()
    this.failing.present({ reason: why })
    // Requests that fail together are one failure.
    if (this.resting) return
    this.restMs = Math.min(Math.max(firstRestMs, 2 * this.restMs), longestRestMs)
    this.restUntilMs = this.ports.clock.nowMs() + this.restMs
  }
}

/** Something that goes wrong for a while: one log line when it begins, one when it was absent long enough. */
class Trouble {
  private lastMs: number | null = null

  constructor(
    private readonly args: {
      readonly begins: string
      readonly ends: string
      readonly fields: Readonly<Record<string, unknown>>
      readonly clock: Clock
      readonly logger: Logger
    },
  ) {}

  present(details: Readonly<Record<string, unknown>>): void {
    const { begins, fields, clock, logger } = this.args
    if (this.lastMs === null) logger.warn(begins, { ...fields, ...details })
    this.lastMs = clock.nowMs()
  }

  absent(): void {
    const { ends, fields, clock, logger } = this.args
    if (this.lastMs === null || clock.nowMs() < this.lastMs + calmMs) return
    this.lastMs = null
    logger.info(ends, fields)
  }
}
