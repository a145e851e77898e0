import { describe, expect, it } from 'vitest'
import { InvariantError } from '../../base/primitives/invariant.js'
import { defaultParameters as parameters } from '../../base/protocol/protocol-parameters.js'
import { latestVersion } from '../../base/protocol/protocol-version.js'
import { createProtocolSchedule, type ProtocolUpgrade, upgradesProblem } from './protocol-schedule.js'

const second: ProtocolUpgrade = { version: 2, activationHeight: 100, parameters: { gasLimit: 40_000_000 } }
const third: ProtocolUpgrade = { version: 3, activationHeight: 101, parameters: { batchBlocks: 300 } }

describe('the protocol of a height', () => {
  it('is that of genesis at every height where nothing is scheduled', () => {
    const protocol = createProtocolSchedule({ parameters })
    for (const height of [0, 1, 1_000_000])
      expect(protocol.at(height)).toEqual({ version: 1, parameters, highestGasLimit: 30_000_000, isKnown: true })
    expect(protocol.nextAfter(0)).toBeNull()
  })

  it('changes at the height of an upgrade, and keeps what the upgrade does not name', () => {
    const protocol = createProtocolSchedule({ parameters, upgrades: [second, third], latestKnown: 3 })
    expect(protocol.at(99)).toEqual({ version: 1, parameters, highestGasLimit: 30_000_000, isKnown: true })
    const raised = { ...parameters, gasLimit: 40_000_000 }
    expect(protocol.at(100)).toEqual({ version: 2, parameters: raised, highestGasLimit: 40_000_000, isKnown: true })
    expect(protocol.at(101)).toMatchObject({ version: 3, parameters: { ...raised, batchBlocks: 300 }, isKnown: true })
    expect(protocol.genesis).toEqual(parameters)
  })

  it('knows the highest gas limit so far: blocks come down to a lower one by small steps', () => {
    const lowered: ProtocolUpgrade = { version: 3, activationHeight: 101, parameters: { gasLimit: 20_000_000 } }
    const protocol = createProtocolSchedule({ parameters, upgrades: [second, lowered], latestKnown: 3 })
    expect([99, 100, 101].map(height => protocol.at(height).highestGasLimit)).toEqual([
      30_000_000, 40_000_000, 40_000_000,
    ])
  })

  it('tells what comes next', () => {
    const protocol = createProtocolSchedule({ parameters, upgrades: [second, third], latestKnown: 3 })
    expect([0, 99, 100, 101].map(height => protocol.nextAfter(height)?.version ?? null)).toEqual([2, 2, 3, null])
  })

  it('is not known to software of before', () => {
    const known = (latestKnown: number) => {
      const protocol = createProtocolSchedule({ parameters, upgrades: [second, third], latestKnown })
      return [99, 100, 101].map(height => protocol.at(height).isKnown)
    }
    expect(known(1)).toEqual([true, false, false])
    expect(known(2)).toEqual([true, true, false])
    expect(createProtocolSchedule({ parameters }).latestKnown).toBe(latestVersion)
  })
})

describe('upgrades', () => {
  const problem = (...upgrades: ProtocolUpgrade[]) => upgradesProblem({ parameters, upgrades })

  it('make a schedule when versions rise by one and heights rise', () => {
    expect(problem()).toBeNull()
    expect(problem(second, third)).toBeNull()
  })

  it.each<[string, string, ProtocolUpgrade[]]>([
    ['a version is left out', 'version 3 comes after version 1: versions rise by one', [third]],
    ['a version comes again', 'version 2 comes after version 2', [second, { ...second, activationHeight: 200 }]],
    ['it is genesis', 'version 1 comes after version 1', [{ ...second, version: 1 }]],
    ['it activates at genesis', 'height 0, which must be above 0', [{ ...second, activationHeight: 0 }]],
    ['heights do not rise', 'height 100, which must be above 100', [second, { ...third, activationHeight: 100 }]],
    ['no Ethereum block is so small', 'gasLimit below 5000', [{ ...second, parameters: { gasLimit: 4_999 } }]],
    [
      'a block might not fit a batch',
      'the upgrade to version 2: a block may take',
      [{ ...second, parameters: { maxBlockTransactionBytes: 900_000 } }],
    ],
    [
      'a block might not fit a batch while the gas limit still comes down',
      'the upgrade to version 3: a block may take',
      [
        { ...second, parameters: { gasLimit: 200_000_000, maxBlockTransactionBytes: 500_000 } },
        { ...third, parameters: { gasLimit: 5_000, maxBlockTransactionBytes: 760_000 } },
      ],
    ],
  ])('are refused where %s', (_, says, upgrades) => {
    expect(problem(...upgrades)).toContain(says)
    expect(() => createProtocolSchedule({ parameters, upgrades })).toThrow(InvariantError)
  })
})
