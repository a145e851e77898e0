import type { Logger } from '../../io/telemetry/logger.js'
import type { PrometheusMetrics } from '../../io/telemetry/prometheus-metrics.js'
import type { Clock } from '../../io/time/clock.js'
import type { Lifecycle } from './lifecycle.js'
import type { NodeConfig } from './node-config.js'

/** What every part of a node is opened with. */
export interface Frame {
  readonly config: NodeConfig
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: PrometheusMetrics
  readonly lifecycle: Lifecycle
  readonly fail: (error: unknown) => void
  readonly stopping: AbortSignal
}
