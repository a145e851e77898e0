import type { Height } from '../../base/primitives/quantities.js'
import type { LogFilter } from '../../io/execution/embedded/queries/log-filter.js'
import type { LogJson } from '../../io/execution/embedded/queries/receipt-json.js'
import type { HeadChange } from '../../io/execution/execution-client.js'

/** Logs of a new head, in eth_getLogs form. */
export const logsOf = (change: HeadChange): readonly LogJson[] => change.logs as readonly LogJson[]

/** Whether a new head of this height is within the filter's numbers; tags stand for no bound. */
export function isInRange({ fromBlock, toBlock }: LogFilter, height: Height): boolean {
  if (fromBlock?.by === 'number' && height < fromBlock.number) return false
  return !(toBlock?.by === 'number' && height > toBlock.number)
}
