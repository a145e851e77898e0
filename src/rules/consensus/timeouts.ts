import type { Round } from '../../base/primitives/quantities.js'
import type { ProtocolParameters } from '../../base/protocol/protocol-parameters.js'
import type { TimeoutStep } from './core-messages.js'

/** The parameters that the consensus core needs, all in milliseconds. */
export type TimeoutParameters = Pick<
  ProtocolParameters,
  'proposeTimeoutMs' | 'proposeTimeoutDeltaMs' | 'voteTimeoutMs' | 'voteTimeoutDeltaMs' | 'maxTimeoutMs'
>

/** How long a step of a round may last: linear in the round, capped (protocol.md section 3). */
export function timeoutMs(parameters: TimeoutParameters, step: TimeoutStep, round: Round): number {
  const uncapped =
    step === 'propose'
      ? parameters.proposeTimeoutMs + parameters.proposeTimeoutDeltaMs * round
      : parameters.voteTimeoutMs + parameters.voteTimeoutDeltaMs * round
  return Math.min(uncapped, parameters.maxTimeoutMs)
}
