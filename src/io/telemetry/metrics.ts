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

/** Creates metrics named `morphism_<module>_<what>_<unit>`; asking twice for one name gives the same metric. */
export interface Metrics {
  /** With labels: the series of these values; one name has one set of label names, and few values of each. */
  counter(name: string, help: string, labels?: Readonly<Record<string, string>>): Counter
  gauge(name: string, help: string): Gauge
  histogram(name: string, help: string, buckets?: readonly number[]): Histogram
}

const nothing = { inc() {}, set() {}, observe() {} }

/** Discards everything. */
export const silentMetrics: Metrics = { counter: () => nothing, gauge: () => nothing, histogram: () => nothing }
