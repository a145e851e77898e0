import * as real from '../../../src/base/protocol/block-context.js'
import { rememberWith } from './remember.js'

export * from '../../../src/base/protocol/block-context.js'

export const encodeContext = rememberWith(real.encodeContext)
export const contextHash = rememberWith(real.contextHash)
