import { asciiToBytes } from '../../base/primitives/bytes.js'
import type { SetId } from '../../base/primitives/quantities.js'
import { decodeSequencerSet, encodeSequencerSet, type SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { L1Reader } from '../../io/l1/l1-client.js'
import type { KeyValueStore } from '../../io/storage/key-value-store.js'
import type { Logger } from '../../io/telemetry/logger.js'
import { type Clock, pause } from '../../io/time/clock.js'

const retryMs = 1_000
/** Tries from one word in the log to the next that it still waits. */
const triesToTell = 60

/** The set that the L1 registry holds under an id: read once, kept in the store, so that a restart does not need L1. */
export async function loadSet({
  setId,
  reader,
  store,
  clock,
  logger,
  signal,
}: {
  setId: SetId
  reader: Pick<L1Reader, 'sequencerSet'>
  store: KeyValueStore
  clock: Clock
  logger: Logger
  signal: AbortSignal
}): Promise<SequencerSet> {
  const key = asciiToBytes(`sequencer-set/${setId}`)
  const kept = store.get(key)
  if (kept) return decodeSequencerSet(kept)
  let elected: SequencerSet | null = null
  for (let tries = 0; ; tries++) {
    try {
      elected = await reader.sequencerSet(setId)
      if (elected) break
      if (tries % triesToTell === 0) logger.info('waiting for the sequencer set to be elected on L1', { setId })
    } catch (error) {
      if (tries % triesToTell === 0)
        logger.warn('the sequencer set cannot be read from L1; the node waits and tries again', { setId, error })
    }
    signal.throwIfAborted()
    await pause(clock, retryMs, signal)
    signal.throwIfAborted()
  }
  await store.write([{ key, value: encodeSequencerSet(elected) }], { sync: true })
  return elected
}
