import { expect, it } from 'vitest'
import { describeAppendLog } from '../../src/io/storage/append-log.fixture.js'
import { VirtualClock } from '../../src/io/time/virtual-clock.js'
import { ProcessLife } from './process-life.js'
import { SimulatedDisk } from './simulated-disk.js'

describeAppendLog('SimulatedLog', async () => {
  const disk = new SimulatedDisk(new VirtualClock())
  disk.syncMs = 0
  const again = async () => disk.wal.open(new ProcessLife())
  return { log: await again(), again }
})

it('SimulatedStore takes no more writes after one that failed, until it is opened again', async () => {
  const disk = new SimulatedDisk(new VirtualClock())
  disk.syncMs = 0
  const put = (value: number) => [{ key: Uint8Array.of(1), value: Uint8Array.of(value) }]
  const store = disk.store.open(new ProcessLife())
  await store.write(put(1))
  disk.isFull = true
  const [first, second] = [store.write(put(2)), store.write(put(3))]
  await expect(first).rejects.toMatchObject({ code: 'DISK_FULL' })
  await expect(second).rejects.toMatchObject({ code: 'STORE_FAILED' })
  disk.isFull = false
  await expect(store.write(put(4))).rejects.toMatchObject({ code: 'STORE_FAILED' })
  expect(store.get(Uint8Array.of(1))).toEqual(Uint8Array.of(1))
  const again = disk.store.open(new ProcessLife())
  await again.write(put(5))
  expect(again.get(Uint8Array.of(1))).toEqual(Uint8Array.of(5))
})
