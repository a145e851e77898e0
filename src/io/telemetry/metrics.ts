/** A number that only grows. */
export interface Counter {
  inc(by?: number): void
}
/** A number that goes up and down. */
export interface Gauge {
  set(value: number): void
}
/** A distribution. */
export interface Histogram {
  observe(value: number): void
}

/** Tells apart the members of one metric: few values, none of them a secret or chosen by others. */
export type MetricLabels = Readonly<Record<string, string>>

/** Creates metrics named `morphism_<module>_<what>_<unit>`; asking twice for one name gives the same metric. */
export interface Metrics {
  counter(name: string, help: string, labels?: MetricLabels): Counter
  gauge(name: string, help: string, labels?: MetricLabels): Gauge
  histogram(name: string, help: string, buckets?: readonly number[]): Histogram
}

const nothing = { inc() {}, set() {}, observe() {} }

/** Discards everything. */
export const silentMetrics: Metrics = { counter: () => nothing, gauge: () => nothing, histogram: () => nothing }
