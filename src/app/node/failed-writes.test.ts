import { describe, expect, it } from 'vitest'
import { zeroHash } from '../../base/primitives/hashes.js'
import { MorphismError } from '../../base/primitives/morphism-error.js'
import { ExecutionError } from '../../io/execution/execution-error.js'
import { MemoryStore } from '../../io/storage/memory-store.js'
import { StorageError } from '../../io/storage/storage-error.js'
import type { ChainPorts } from '../../services/chain/chain.js'
import { endOnFailedHead, endOnFailedWrite } from './failed-writes.js'

const key = Uint8Array.of(1)
const full = 'no space is left on the disk of /data/store'

/** A store whose writes fail with the error, and what the node was told. */
function failing(error: unknown) {
  const told: unknown[] = []
  const store = new MemoryStore()
  store.write = () => Promise.reject(error)
  return { told, store: endOnFailedWrite(store, failure => told.push(failure)) }
}

/** An execution client whose new heads fail with the error. */
function headless(error: unknown) {
  const told: unknown[] = []
  const execution = { forkchoiceUpdated: () => Promise.reject(error) } as unknown as ChainPorts['execution']
  return { told, execution: endOnFailedHead(execution, failure => told.push(failure)) }
}

const head = { head: zeroHash, safe: zeroHash, finalized: zeroHash }

describe('a write that fails', () => {
  it('ends the node, says that the disk is full and what to do, and fails for who asked too', async () => {
    const error = new StorageError('DISK_FULL', full, { path: '/data/store' })
    const { store, told } = failing(error)
    await expect(store.write([{ key, value: key }])).rejects.toBe(error)
    expect(told).toEqual([expect.objectContaining({ name: 'StorageError', code: 'DISK_FULL', cause: error })])
    expect((told[0] as Error).message).toMatch(
      /^the disk is full: .*\/data\/store\. Make room and start the node again/,
    )
  })

  it('ends the node for any other cause but its own close', async () => {
    const broken = new StorageError('STORE_FAILED', 'EIO')
    const { store, told } = failing(broken)
    await expect(store.write([])).rejects.toBe(broken)
    expect(told).toEqual([broken])
    const closed = failing(new StorageError('STORE_CLOSED', 'the store is closed'))
    await expect(closed.store.write([])).rejects.toMatchObject({ code: 'STORE_CLOSED' })
    expect(closed.told).toEqual([])
  })

  it('ends the node in the execution client too, whose errors come from another thread', async () => {
    const error = new MorphismError('DISK_FULL', full)
    const { execution, told } = headless(error)
    await expect(execution.forkchoiceUpdated(head)).rejects.toBe(error)
    expect(told).toEqual([expect.objectContaining({ code: 'DISK_FULL', cause: error })])
    const unknown = headless(new ExecutionError('UNKNOWN_BLOCK', 'not a candidate'))
    await expect(unknown.execution.forkchoiceUpdated(head)).rejects.toMatchObject({ code: 'UNKNOWN_BLOCK' })
    expect(unknown.told).toEqual([])
  })
})

it('what does not fail is passed on', async () => {
  const told: unknown[] = []
  const inner = new MemoryStore()
  const store = endOnFailedWrite(inner, failure => told.push(failure))
  await store.write([{ key, value: key }])
  expect(store.get(key)).toEqual(key)
  for await (const entry of store.entries({ from: key, to: Uint8Array.of(2) })) expect(entry).toEqual([key, key])
  await store.close()
  expect(() => inner.get(key)).toThrow(expect.objectContaining({ code: 'STORE_CLOSED' }))
  expect(told).toEqual([])
})
