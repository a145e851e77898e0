import * as real from '../../../src/base/protocol/consensus-message.js'
import { rememberWith } from './remember.js'

export * from '../../../src/base/protocol/consensus-message.js'

export const decodeConsensusMessage = rememberWith(real.decodeConsensusMessage)
