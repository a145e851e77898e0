import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { invariant } from '../../base/primitives/invariant.js'
import type {
  Counter as CounterPort,
  Gauge as GaugePort,
  Histogram as HistogramPort,
  MetricLabels,
  Metrics,
} from './metrics.js'

const namePattern = /^morphism_[a-zA-Z0-9_]+$/
/** How often the delay of the event loop is measured: the library's 10 ms would wake an idle process a hundred times a second. */
const eventLoopMonitoringPrecision = 100

/** Metrics in a registry of one node's own, written in the Prometheus text format. */
export class PrometheusMetrics implements Metrics {
  private readonly registry = new Registry()
  private readonly made = new Map<string, { kind: string; metric: unknown }>()

  constructor() {
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision })
  }

  counter(name: string, help: string, labels?: MetricLabels): CounterPort {
    const labelNames = Object.keys(labels ?? {})
    const metric = this.once('counter', name, () => new Counter({ name, help, labelNames, registers: [this.registry] }))
    return labels ? metric.labels(labels) : metric
  }

  gauge(name: string, help: string, labels?: MetricLabels): GaugePort {
    const labelNames = Object.keys(labels ?? {})
    const metric = this.once('gauge', name, () => new Gauge({ name, help, labelNames, registers: [this.registry] }))
    return labels ? metric.labels(labels) : metric
  }

  histogram(name: string, help: string, buckets?: readonly number[]): HistogramPort {
    const own = buckets ? { buckets: [...buckets] } : {}
    return this.once('histogram', name, () => new Histogram({ name, help, ...own, registers: [this.registry] }))
  }

  /** All metrics in the text format that Prometheus scrapes. */
  text(): Promise<string> {
    return this.registry.metrics()
  }

  private once<Metric>(kind: string, name: string, make: () => Metric): Metric {
    invariant(namePattern.test(name), 'a metric is named morphism_<module>_<what>_<unit>', { name })
    const known = this.made.get(name)
    invariant(!known || known.kind === kind, 'a metric has one kind', { name, kind, known: known?.kind })
    if (known) return known.metric as Metric
    const metric = make()
    this.made.set(name, { kind, metric })
    return metric
  }
}
