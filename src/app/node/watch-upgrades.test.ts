import { expect, it } from 'vitest'
import { devnetParameters as parameters } from '../../base/protocol/protocol-parameters.js'
import type { Logger } from '../../io/telemetry/logger.js'
import { silentMetrics } from '../../io/telemetry/metrics.js'
import { asParent, certified, childOf, genesis } from '../../rules/blocks/blocks.fixture.js'
import { createProtocolSchedule } from '../../rules/upgrades/protocol-schedule.js'
import { versionHalt } from '../../rules/upgrades/version-halt.js'
import type { CommittedBlock } from '../../services/chain/chain.js'
import { watchUpgrades } from './watch-upgrades.js'

it('tells what is scheduled, what becomes active, and where this node stops', () => {
  const upgrades = [
    { version: 2, activationHeight: 2, parameters: {} },
    { version: 3, activationHeight: 3, parameters: {} },
  ]
  const protocol = createProtocolSchedule({ parameters, upgrades, latestKnown: 2 })
  const told: string[] = []
  const active: number[] = []
  const say =
    (level: string) =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}) =>
      void told.push(`${level} ${message} ${fields.version} ${fields.activationHeight ?? fields.height}`)
  const logger: Logger = { debug() {}, info: say('info'), warn: say('warn'), error: say('error'), child: () => logger }
  let head = genesis
  let committed: (committed: CommittedBlock) => void = () => {}
  watchUpgrades({
    chain: {
      head: () => head,
      versionHalt: () =>
        versionHalt({ protocol, head: { height: head.header.number, version: head.context.version }, decided: null }),
      onCommitted: listener => {
        committed = listener
        return () => {}
      },
    },
    protocol,
    logger,
    metrics: { ...silentMetrics, gauge: () => ({ set: value => void active.push(value) }) },
  })
  for (const version of [1, 2]) {
    const block = childOf(head, { context: { version } })
    head = asParent(block)
    const change = { block, touched: [], logs: [] }
    committed({ ...certified(block), change, decidedHere: true })
  }
  expect(told).toEqual([
    'info an upgrade is scheduled 2 2',
    'warn this node must be upgraded before the height at which an upgrade activates 3 3',
    'info a new protocol version is active 2 2',
    'error this node takes no further part 3 3',
  ])
  expect(active).toEqual([1, 2])
})
