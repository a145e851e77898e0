import type { LogJson } from '../../io/execution/embedded/queries/receipt-json.js'
import type { HeadChange } from '../../io/execution/execution-client.js'

/** Logs of a new head, in eth_getLogs form. */
export const logsOf = (change: HeadChange): readonly LogJson[] => change.logs as readonly LogJson[]
