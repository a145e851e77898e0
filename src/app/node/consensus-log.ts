import path from 'node:path'
import { FileLog } from '../../io/storage/file-log.js'
import { StorageError } from '../../io/storage/storage-error.js'
import { AppError } from '../app-error.js'
import { nodeFiles } from '../node-files.js'

/**
 * Opens the log of consensus in a data directory. A corrupt one is for an operator to set aside, who knows then that the disk
 * lost something; the signing record alone keeps the key safe without it. @throws AppError CONSENSUS_LOG_CORRUPT, StorageError
 */
export async function openConsensusLog(dataDir: string): Promise<FileLog> {
  const file = path.join(dataDir, nodeFiles.consensusLog)
  try {
    return await FileLog.open({ path: file })
  } catch (cause) {
    if (!(cause instanceof StorageError) || cause.code !== 'LOG_CORRUPT') throw cause
    const message = `${cause.message}: set it aside (mv ${file} ${file}.corrupt) and start again; keep ${nodeFiles.signingRecord} where it is`
    throw new AppError('CONSENSUS_LOG_CORRUPT', message, cause.data, { cause })
  }
}
