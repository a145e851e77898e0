import * as real from '../../../src/base/protocol/block-header.js'
import { rememberWith } from './remember.js'

export * from '../../../src/base/protocol/block-header.js'

export const headerToRlp = rememberWith(real.headerToRlp)
export const headerHash = rememberWith(real.headerHash)
