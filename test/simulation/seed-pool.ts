import { Worker } from 'node:worker_threads'
import type { SimulationResult, SimulationSpec } from './run-simulation.js'
import type { SeedWorkerData } from './seed-worker.js'

/** A result and the real time that it took. */
export type TimedResult = SimulationResult & { readonly seconds: number }

/** A run makes much that is gone a moment later: a large young generation spares most of its collection. */
const resourceLimits = { maxYoungGenerationSizeMb: 64 }

/** Threads that run simulations, one at a time each. */
export class SeedPool {
  private readonly workers: readonly Worker[]
  private readonly idle: Worker[]
  private readonly waiting: ((worker: Worker) => void)[] = []

  /** `build` is the compiled project to run, this one unless told: the mutation check runs copies. */
  constructor({
    workers,
    realSignatures = false,
    build = new URL('../../', import.meta.url),
  }: {
    workers: number
    realSignatures?: boolean
    build?: URL
  }) {
    const workerData: SeedWorkerData = { realSignatures }
    const script = new URL('test/simulation/seed-worker.js', build)
    this.workers = Array.from({ length: workers }, () => new Worker(script, { workerData, resourceLimits }))
    this.idle = [...this.workers]
  }

  /** Runs one simulation as soon as a thread is free, and tells how long it took; rejects when the worker breaks. */
  async run(spec: SimulationSpec): Promise<TimedResult> {
    const worker = this.idle.pop() ?? (await new Promise<Worker>(resolve => this.waiting.push(resolve)))
    const began = performance.now()
    try {
      const result = await new Promise<SimulationResult>((resolve, reject) => {
        const settle = (finish: () => void) => {
          worker.off('message', onMessage)
          worker.off('error', onError)
          finish()
        }
        const onMessage = (result: SimulationResult) => settle(() => resolve(result))
        const onError = (error: Error) => settle(() => reject(error))
        worker.on('message', onMessage)
        worker.on('error', onError)
        worker.postMessage(spec)
      })
      return { ...result, seconds: (performance.now() - began) / 1_000 }
    } finally {
      const next = this.waiting.shift()
      if (next) next(worker)
      else this.idle.push(worker)
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map(worker => worker.terminate()))
  }
}
