import * as real from '../../../src/services/mempool/transaction-batch.js'
import { rememberWith } from './remember.js'

export * from '../../../src/services/mempool/transaction-batch.js'

export const decodeTransactionBatch = rememberWith(real.decodeTransactionBatch)
