import type { Logger } from '../io/telemetry/logger.js'

/**
 * What nothing handles ends the process at once, with one line in its log: whatever threw may have left anything half done,
 * and everything here can be killed at any time.
 */
export function endOnUncaught(logger: Pick<Logger, 'error'>): void {
  process.on('uncaughtException', (error, origin) => {
    logger.error('an error that nothing handles: the process ends', { origin, error })
    process.exit(1)
  })
}
