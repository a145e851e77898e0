/** Name of the log of consensus in a data directory. */
export const consensusLogName = 'consensus-wal'
