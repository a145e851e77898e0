import type { Height } from '../../base/primitives/quantities.js'
import { protocolVersions } from '../../base/protocol/protocol-version.js'
import type { Logger } from '../../io/telemetry/logger.js'
import type { Metrics } from '../../io/telemetry/metrics.js'
import type { ProtocolSchedule } from '../../rules/upgrades/protocol-schedule.js'
import type { Chain } from '../../services/chain/chain.js'
import { versionHaltSentence } from '../../services/sequencer/explain/no-block-reason.js'

/** Tells the operator which protocol version holds, which comes, and when this node is too old for it. */
export function watchUpgrades({
  chain,
  protocol,
  logger,
  metrics,
}: {
  chain: Pick<Chain, 'head' | 'versionHalt' | 'onCommitted'>
  protocol: ProtocolSchedule
  logger: Logger
  metrics: Metrics
}): void {
  const active = metrics.gauge('morphism_chain_protocol_version', 'Protocol version of the head block')
  const { header, context } = chain.head()
  let { version } = context
  active.set(version)
  announceUpgrades({ protocol, logger, height: header.number })
  const tellHalt = () => {
    const halt = chain.versionHalt()
    if (halt) logger.error('this node takes no further part', { ...halt, explanation: versionHaltSentence(halt) })
  }
  tellHalt()
  chain.onCommitted(({ block }) => {
    if (block.context.version !== version) {
      version = block.context.version
      active.set(version)
      logger.info('a new protocol version is active', { version, height: block.header.number })
    }
    tellHalt()
  })
}

function announceUpgrades({
  protocol,
  logger,
  height,
}: {
  protocol: ProtocolSchedule
  logger: Logger
  height: Height
}): void {
  for (let next = protocol.nextAfter(height); next !== null; next = protocol.nextAfter(next.activationHeight)) {
    const { version, activationHeight } = next
    if (version <= protocol.latestKnown)
      logger.info('an upgrade is scheduled', { version, activationHeight, brings: protocolVersions[version - 1] })
    else
      logger.warn('this node must be upgraded before the height at which an upgrade activates', {
        version,
        activationHeight,
        latestKnown: protocol.latestKnown,
      })
  }
}
