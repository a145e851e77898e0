import * as real from '../../../src/base/protocol/transaction.js'
import { rememberWith } from './remember.js'

export * from '../../../src/base/protocol/transaction.js'

export const decodeTransaction = rememberWith(real.decodeTransaction)
