import { describe, expect, it } from 'vitest'
import { MorphismError } from '../../src/base/primitives/morphism-error.js'
import { isOneHonest } from '../../src/base/protocol/sequencer-set.js'
import { type ForensicReport, investigate } from '../../src/rules/consensus/forensics.js'
import { ForkingNetwork, type Malice } from './forking-network.js'
import { SeededRandom } from './seeded-random.js'

const sizes = [
  { members: 4, byzantine: 2 },
  { members: 7, byzantine: 3 },
  { members: 7, byzantine: 5 },
  { members: 10, byzantine: 4 },
  { members: 10, byzantine: 6 },
]
const seeds = 90
const steps = 1_500

function namesOnlyEnemies({ enemies }: ForkingNetwork, { culprits }: ForensicReport): void {
  for (const { member, offence } of culprits) expect(enemies, offence).toContain(member)
}

/** With the logs of all honest nodes: culprits of more than a third of the power after a fork. Gives their offences. */
function judgeWhole(network: ForkingNetwork, isFork: boolean): string[] {
  const { height, set } = network
  const messages = network.logged()
  const report = investigate({ height, messages, set, isComplete: true })
  namesOnlyEnemies(network, report)
  expect(report.accused).toEqual([])
  // The messages may show a quorum that no node has counted yet.
  if (isFork) expect(report.isFork).toBe(true)
  if (!report.isFork) return []
  expect(isOneHonest(set, report.power), `power ${report.power} of ${set.totalPower}`).toBe(true)
  return report.culprits.map(({ offence }) => offence)
}

/** With logs missing, cut off or thinned out: nobody honest is named, and nobody whose whole log is there is accused. */
function judgePart(network: ForkingNetwork, random: SeededRandom): void {
  const { height, set, nodes } = network
  const damages = new Map(nodes.map(node => [node, random.pick(['whole', 'missing', 'cut', 'thinned'] as const)]))
  const end = random.fraction()
  const messages = network.logged((node, record) => {
    switch (damages.get(node)!) {
      case 'whole':
        return true
      case 'missing':
        return false
      case 'cut':
        return record < end * node.log.length
      case 'thinned':
        return random.chance(0.7)
    }
  })
  const report = investigate({ height, messages, set, isComplete: false })
  namesOnlyEnemies(network, report)
  const accused = report.accused.map(({ member }) => member)
  for (const [{ index }, damage] of damages) if (damage === 'whole') expect(accused).not.toContain(index)
}

describe('forensics on the logs of honest nodes after enemies of more than a third of the power made them decide two blocks', () => {
  it.each([
    { equivocates: false, precommitsFreely: false, offences: ['amnesia'] },
    { equivocates: false, precommitsFreely: true, offences: ['amnesia', 'unjustified-precommit'] },
    { equivocates: true, precommitsFreely: false, offences: ['amnesia', 'double-proposal', 'double-vote'] },
    { equivocates: true, precommitsFreely: true, offences: ['double-vote', 'unjustified-precommit'] },
  ])('names more than a third of the power, and never an honest node: $offences', ({ offences, ...malice }) => {
    const seen: string[] = []
    let forks = 0
    for (let seed = 0; seed < seeds; seed++) {
      const random = new SeededRandom(seed)
      const shape: Malice = { ...malice, ...sizes[seed % sizes.length]!, leak: random.pick([0, 0, 0.1, 0.5]) }
      const network = new ForkingNetwork(random, shape)
      const isFork = network.run(steps)
      if (isFork) forks++
      try {
        seen.push(...judgeWhole(network, isFork))
        for (let part = 0; part < 4; part++) judgePart(network, random)
      } catch (error) {
        throw new MorphismError('FORENSICS', `seed ${seed} of ${JSON.stringify(shape)}: ${error}`, {}, { cause: error })
      }
    }
    expect(forks).toBeGreaterThan(12)
    expect(new Set(seen)).toEqual(new Set([...seen, ...offences]))
    if (!malice.equivocates) expect(seen).not.toContain('double-vote')
  })
})
