import { expect, it } from 'vitest'
import { ok } from '../../base/primitives/result.js'
import { silentLogger } from '../../io/telemetry/logger.js'
import { VirtualClock } from '../../io/time/virtual-clock.js'
import { childOf, genesis } from '../../rules/blocks/blocks.fixture.js'
import { ApplicationCalls, type ApplicationCallsPorts } from './application-calls.js'
import { HeightProgress } from './explain/height-progress.js'
import type { LoggedInput } from './wal/wal-record.js'

it('puts a proposal that could not be judged to the application again, until there is a verdict', async () => {
  const block = childOf(genesis)
  const blockHash = block.hash
  const clock = new VirtualClock()
  const inputs: LoggedInput[] = []
  let failures = 2
  const application = {
    processProposal: async () => {
      if (failures-- > 0) throw new Error('the execution client is away')
      return ok(undefined)
    },
  } as unknown as ApplicationCallsPorts['application']
  const proposal = {
    height: 1,
    round: 0,
    validRound: -1 as const,
    blockHash,
    proposer: 0,
    signature: new Uint8Array(96),
  }
  const calls = new ApplicationCalls({
    application,
    log: { block: () => block, proposal: () => proposal },
    progress: new HeightProgress(clock),
    logger: silentLogger,
    feed: input => inputs.push(input),
    later: (delayMs, task) => clock.schedule(delayMs, task),
    onFatal: error => expect.fail(String(error)),
  })
  await calls.validate({ type: 'validate', height: 1, round: 0, blockHash })
  expect(inputs).toEqual([])
  await clock.advance(10_000)
  expect(inputs).toEqual([{ type: 'validated', height: 1, blockHash, valid: true, acceptable: true }])
})
