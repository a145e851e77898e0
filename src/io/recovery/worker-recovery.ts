import { Worker } from 'node:worker_threads'
import { packBatch } from './packed-batch.js'
import { type PackedOutcomes, readOutcomes } from './packed-outcomes.js'
import type { RecoveryMessage, RecoveryTask } from './recovery-worker.js'
import { RecoveryError, type RecoveryOutcome, type SenderRecovery } from './sender-recovery.js'

export interface WorkerRecoveryConfig {
  /** Threads; one recovers about 15,000 transactions a second. */
  readonly workers: number
  /** Bytes of transactions that may wait in all; more are refused with QUEUE_FULL. */
  readonly maxQueuedBytes: number
  /** Transactions per task: small enough that several workers share a large batch. */
  readonly taskTransactions: number
}

/** One worker, 32 MiB of waiting transactions. */
export const defaultWorkerRecoveryConfig: WorkerRecoveryConfig = {
  workers: 1,
  maxQueuedBytes: 32 * 1024 * 1024,
  taskTransactions: 256,
}

/** Recovery in a pool of worker threads; a worker that dies fails its tasks and is replaced by the next one. */
export function createWorkerRecovery(config: WorkerRecoveryConfig = defaultWorkerRecoveryConfig): SenderRecovery {
  return new WorkerRecovery(config)
}

interface Waiting {
  readonly resolve: (outcomes: PackedOutcomes) => void
  readonly reject: (error: RecoveryError) => void
}

class WorkerRecovery implements SenderRecovery {
  private readonly threads: RecoveryThread[]
  private queuedBytes = 0
  private isClosed = false

  constructor(private readonly config: WorkerRecoveryConfig) {
    this.threads = Array.from({ length: Math.max(1, config.workers) }, () => new RecoveryThread())
  }

  async recover(transactions: readonly Uint8Array[]): Promise<readonly RecoveryOutcome[]> {
    if (this.isClosed) throw new RecoveryError('CLOSED', 'sender recovery is closed')
    let bytes = 0
    for (const raw of transactions) bytes += raw.length
    if (this.queuedBytes + bytes > this.config.maxQueuedBytes)
      throw new RecoveryError('QUEUE_FULL', 'too many transactions wait for sender recovery')
    this.queuedBytes += bytes
    try {
      const { taskTransactions } = this.config
      if (transactions.length <= taskTransactions) return await this.recoverTask(transactions)
      const tasks: Promise<RecoveryOutcome[]>[] = []
      for (let at = 0; at < transactions.length; at += taskTransactions)
        tasks.push(this.recoverTask(transactions.slice(at, at + taskTransactions)))
      return (await Promise.all(tasks)).flat()
    } finally {
      this.queuedBytes -= bytes
    }
  }

  async close(): Promise<void> {
    this.isClosed = true
    await Promise.all(this.threads.map(thread => thread.close()))
  }

  private async recoverTask(transactions: readonly Uint8Array[]): Promise<RecoveryOutcome[]> {
    let thread = this.threads[0]!
    for (const other of this.threads) if (other.load < thread.load) thread = other
    return readOutcomes(await thread.run(packBatch(transactions), transactions.length), transactions)
  }
}

/** One worker and the tasks it holds. */
class RecoveryThread {
  /** Transactions under way. */
  load = 0
  private worker: Worker | null = null
  /** Resolves when the worker has loaded its modules, or is gone. */
  private loaded: Promise<void> = Promise.resolve()
  private readonly tasks = new Map<number, Waiting>()
  private nextId = 0

  constructor() {
    this.worker = this.start()
  }

  async run(batch: ArrayBuffer, transactions: number): Promise<PackedOutcomes> {
    this.worker ??= this.start()
    const task: RecoveryTask = { id: this.nextId++, batch }
    this.load += transactions
    try {
      return await new Promise<PackedOutcomes>((resolve, reject) => {
        this.tasks.set(task.id, { resolve, reject })
        this.worker?.postMessage(task, [batch])
      })
    } finally {
      this.load -= transactions
    }
  }

  async close(): Promise<void> {
    const { worker, loaded } = this
    this.worker = null
    this.fail(new RecoveryError('CLOSED', 'sender recovery is closed'))
    // Torn from loading secp256k1, it would abort the process.
    await loaded
    await worker?.terminate()
  }

  private start(): Worker {
    const worker = new Worker(new URL('./recovery-worker.js', import.meta.url))
    this.loaded = new Promise(resolve => {
      worker.once('message', () => resolve())
      worker.once('exit', () => resolve())
    })
    worker.on('message', (message: RecoveryMessage) => {
      if (message === 'loaded') return
      const { id, outcomes } = message
      const waiting = this.tasks.get(id)
      this.tasks.delete(id)
      waiting?.resolve(outcomes)
    })
    const lose = (cause: unknown) => {
      if (this.worker !== worker) return
      this.worker = null
      this.fail(new RecoveryError('WORKER_FAILED', 'the sender recovery worker stopped', { cause }))
    }
    worker.on('error', lose)
    worker.on('exit', code => lose({ exitCode: code }))
    return worker
  }

  private fail(error: RecoveryError): void {
    for (const waiting of this.tasks.values()) waiting.reject(error)
    this.tasks.clear()
  }
}
