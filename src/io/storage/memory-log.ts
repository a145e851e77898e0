import { type AppendLog, requireFitting } from './append-log.js'
import { StorageError } from './storage-error.js'

/** AppendLog in memory: the twin of FileLog for tests and simulation, power loss included. */
export class MemoryLog implements AppendLog {
  private durable: Uint8Array[] = []
  private pending: Uint8Array[] = []
  private closed = false

  async readAll(): Promise<Uint8Array[]> {
    this.commit()
    return this.durable.map(record => Uint8Array.from(record))
  }

  append(record: Uint8Array): void {
    this.requireOpen()
    requireFitting(record)
    this.pending.push(Uint8Array.from(record))
  }

  async sync(): Promise<void> {
    this.commit()
  }

  async replace(records: readonly Uint8Array[]): Promise<void> {
    this.requireOpen()
    for (const record of records) requireFitting(record)
    this.pending = []
    this.durable = records.map(record => Uint8Array.from(record))
  }

  turn(): Promise<void> {
    return this.replace([])
  }

  size(): number {
    return [...this.durable, ...this.pending].reduce((sum, record) => sum + record.length, 0)
  }

  async close(): Promise<void> {
    if (this.closed) return
    this.commit()
    this.closed = true
  }

  /** Opens it again with what it held, as after a restart of the node. */
  reopen(): void {
    this.closed = false
  }

  /** Power loss: what was not synced is gone; opened again by `reopen`. */
  crash(): void {
    this.pending = []
    this.closed = true
  }

  private commit(): void {
    this.requireOpen()
    this.durable.push(...this.pending)
    this.pending = []
  }

  private requireOpen(): void {
    if (this.closed) throw new StorageError('STORE_CLOSED', 'the log is closed')
  }
}
