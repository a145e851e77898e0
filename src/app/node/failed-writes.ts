import { MorphismError } from '../../base/primitives/morphism-error.js'
import type { KeyValueStore } from '../../io/storage/key-value-store.js'
import { StorageError, type StorageErrorCode } from '../../io/storage/storage-error.js'
import type { ChainPorts } from '../../services/chain/chain.js'

/** What a write on a disk fails with. The execution client's is of another class where it came from another thread. */
const failedWrites: ReadonlySet<string> = new Set<StorageErrorCode>(['DISK_FULL', 'STORE_FAILED', 'STORE_CORRUPT'])

/**
 * The store, whose first write that fails ends the node, whoever asked for it and whatever they make of it: the store takes no
 * other until it is opened again, which is safe.
 */
export function endOnFailedWrite(store: KeyValueStore, fail: (error: unknown) => void): KeyValueStore {
  return {
    get: key => store.get(key),
    write: (changes, options) => heard(store.write(changes, options), fail),
    entries: range => store.entries(range),
    close: () => store.close(),
  }
}

/** As `endOnFailedWrite`, for the execution client, which keeps the chain in a store of its own. */
export function endOnFailedHead(
  execution: ChainPorts['execution'],
  fail: (error: unknown) => void,
): ChainPorts['execution'] {
  return {
    newPayload: (...payload) => execution.newPayload(...payload),
    forkchoiceUpdated: state => heard(execution.forkchoiceUpdated(state), fail),
    head: () => execution.head(),
    labels: () => execution.labels(),
    blockAt: height => execution.blockAt(height),
  }
}

async function heard<Value>(written: Promise<Value>, fail: (error: unknown) => void): Promise<Value> {
  try {
    return await written
  } catch (error) {
    if (error instanceof MorphismError && failedWrites.has(error.code)) fail(forOperator(error))
    throw error
  }
}

function forOperator(error: MorphismError): MorphismError {
  if (error.code !== 'DISK_FULL') return error
  const message = `the disk is full: ${error.message}. Make room and start the node again: nothing that it had stored is lost`
  return new StorageError('DISK_FULL', message, error.data, { cause: error })
}
