import path from 'node:path'

/** Where the node of a data directory takes administration: for its own user alone, never over a network. */
export const adminSocketOf = (dataDir: string): string => path.join(path.resolve(dataDir), 'morphism.ipc')
