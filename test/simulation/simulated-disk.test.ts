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
