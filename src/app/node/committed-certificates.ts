import { MorphismError } from '../../base/primitives/morphism-error.js'
import type { L1Reader } from '../../io/l1/l1-client.js'
import type { Logger } from '../../io/telemetry/logger.js'
import type { Batcher } from '../../services/batcher/batcher.js'
import type { L1Follower } from '../../services/l1-follower/l1-follower.js'

/**
 * Gives the batcher the certificates of committed batches that it lacks, from the L1 transactions that carried them: a node
 * that was away may find no peer that has them. What L1 does not answer is asked for again at its next change.
 */
export function takeCommittedCertificates({
  batcher,
  follower,
  reader,
  logger,
  fail,
}: {
  batcher: Pick<Batcher, 'batch' | 'latest' | 'latestCertified' | 'acceptCertificate'>
  follower: Pick<L1Follower, 'committedBatch' | 'lastCommitted' | 'onChange'>
  reader: Pick<L1Reader, 'committedBatch'>
  logger: Logger
  fail: (error: unknown) => void
}): void {
  let running = false
  const take = async () => {
    const last = Math.min(follower.lastCommitted(), batcher.latest())
    for (let index = batcher.latestCertified() + 1; index <= last; index++) {
      const record = follower.committedBatch(index)
      if (!record || (await batcher.batch(index))?.certificate) continue
      const committed = await reader.committedBatch(record.transactionHash)
      if (!committed) continue
      const { absent, signature } = committed
      const { batchHash } = record
      const outcome = await batcher.acceptCertificate({ batchIndex: index, batchHash, absent, signature })
      logger.debug('certificate read from L1', { batchIndex: index, outcome })
    }
  }
  follower.onChange(() => {
    if (running) return
    running = true
    take()
      .catch(error => {
        if (!(error instanceof MorphismError)) return fail(error)
        logger.debug('no certificate read from L1', { reason: error.message, code: error.code })
      })
      .finally(() => {
        running = false
      })
  })
}
