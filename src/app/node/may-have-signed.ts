import { stat } from 'node:fs/promises'
import path from 'node:path'
import type { ExecutionClient } from '../../io/execution/execution-client.js'
import { nodeFiles } from '../node-files.js'

/**
 * Whether a node of this data directory may have signed: there is a log of consensus, or a chain. An empty directory says
 * nothing, and its node learns from the network what is decided before it signs.
 */
export async function mayHaveSigned({
  dataDir,
  execution,
}: {
  dataDir: string
  execution: Pick<ExecutionClient, 'head'>
}): Promise<boolean> {
  const log = await stat(path.join(dataDir, nodeFiles.consensusLog)).catch(() => null)
  return (log?.size ?? 0) > 0 || (await execution.head()).header.number > 0
}
