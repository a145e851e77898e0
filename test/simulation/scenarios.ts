import { isQuorum, type SequencerSet } from '../../src/base/protocol/sequencer-set.js'
import type { SeededRandom } from '../model/seeded-random.js'
import type { ByzantineBehaviour, FaultEvent, FaultSchedule } from './fault-schedule.js'
import type { ScenarioName } from './scenario-names.js'
import { l1Confirmations, randomOf } from './simulated-network.js'

/** Those that strike at random; upgrades are planned. */
type FaultKind = Exclude<FaultEvent['kind'], 'upgrade'>

/** How often each kind strikes, relative to the others. */
const kindsOf: Readonly<Record<ScenarioName, Partial<Record<FaultKind, number>>>> = {
  calm: {},
  partitions: { 'hidden-decision': 3, partition: 4, 'one-way': 3, delay: 2, loss: 2, duplication: 1, reordering: 1 },
  crashes: { crash: 5, 'slow-disk': 2, 'disk-full': 1, delay: 1, loss: 1, partition: 1 },
  byzantine: { 'hidden-decision': 3, byzantine: 7, delay: 2, loss: 1, 'one-way': 2, partition: 1, crash: 1 },
  l1: { 'l1-reorg': 3, 'l1-lag': 3, 'l1-down': 2, 'clock-skew': 1, crash: 1, delay: 1 },
  restarts: { restart: 8, crash: 1, delay: 1, loss: 1, 'l1-down': 1 },
  upgrade: { partition: 2, delay: 2, loss: 1, crash: 2, 'slow-disk': 1 },
  chaos: {
    'hidden-decision': 2,
    crash: 3,
    partition: 2,
    'one-way': 2,
    delay: 2,
    loss: 2,
    duplication: 1,
    reordering: 1,
    'slow-disk': 1,
    'disk-full': 1,
    'clock-skew': 1,
    'l1-reorg': 1,
    'l1-lag': 1,
    'l1-down': 1,
    byzantine: 4,
  },
  aggregation: {
    byzantine: 6,
    crash: 3,
    delay: 2,
    loss: 2,
    partition: 1,
    'one-way': 1,
    'hidden-decision': 1,
    duplication: 1,
    reordering: 1,
    'slow-disk': 1,
  },
}

/** Those that go for the heart of the algorithm come more often. */
const behaviours: readonly ByzantineBehaviour[] = [
  'false-valid-round',
  'stolen-proposal',
  'false-body',
  'false-valid-round',
  'stolen-proposal',
  'false-body',
  'forgery',
  'split-proposal',
  'amnesia',
  'silence',
  'double-vote',
  'double-proposal',
  'withheld-proposal',
  'split-proposal',
  'invalid-block',
  'votes-for-everything',
  'amnesia',
  'forgery',
  'false-deposit',
  'false-origin',
  'false-time',
  'false-valid-round',
  'stolen-proposal',
  'false-body',
  'one-sided-sum',
]

/** What an aggregator of votes can do wrong, and what can be done wrong by one. */
const aggregatorBehaviours: readonly ByzantineBehaviour[] = [
  'withheld-aggregate',
  'forged-aggregate',
  'false-claims',
  'relay-to-all',
  'double-relay',
]
const behavioursOf = (scenario: ScenarioName) =>
  scenario === 'aggregation' ? [...aggregatorBehaviours, ...aggregatorBehaviours, ...behaviours] : behaviours

/** Faults strike while about so much time passes for each height, and a run has at least so much of it. */
const msPerHeight = 100
const leastMs = 12_000
/** Mean time between two faults. */
const gapMs = 700

/** Draws the faults of a run from its seed. */
export function drawSchedule({
  seed,
  set,
  heights,
  scenario,
}: {
  seed: string
  set: SequencerSet
  heights: number
  scenario: ScenarioName
}): FaultSchedule {
  const random = randomOf(seed, `faults of ${scenario}`)
  const weights = Object.entries(kindsOf[scenario]) as [FaultKind, number][]
  const faulty = weights.some(([kind]) => kind === 'byzantine' || kind === 'crash') ? drawFaulty(set, random) : []
  const endMs = Math.max(leastMs, heights * msPerHeight)
  const events: FaultEvent[] = scenario === 'upgrade' ? drawUpgrades({ set, endMs, random }) : []
  const size = set.members.length
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0)
  if (total === 0) return { faulty, events }
  for (let atMs = random.below(gapMs); atMs < endMs; atMs += 1 + random.below(2 * gapMs)) {
    let draw = random.fraction() * total
    const [kind] = weights.find(([, weight]) => {
      draw -= weight
      return draw < 0
    })!
    const event = drawEvent({ kind, atMs, size, faulty, behaviours: behavioursOf(scenario), random })
    if (event) events.push(event)
  }
  return { faulty, events }
}

/**
 * Every node is upgraded once, some before the activation and some after. Those that have the network file of before are no quorum,
 * which could go on without the upgrade.
 */
function drawUpgrades({
  set,
  endMs,
  random,
}: {
  set: SequencerSet
  endMs: number
  random: SeededRandom
}): FaultEvent[] {
  let withOldFile = 0n
  return shuffled(set.members, random).map(({ index: node, power }) => {
    const lacks = random.chance(0.5) && !isQuorum(set, withOldFile + power) ? 'file' : 'software'
    if (lacks === 'file') withOldFile += power
    const atMs = Math.floor(endMs * (0.1 + 0.8 * random.fraction()))
    return { atMs, kind: 'upgrade', node, lacks, forMs: 100 + random.below(2_000) }
  })
}

/** Members in random order as long as their power stays below a third. */
function drawFaulty(set: SequencerSet, random: SeededRandom): number[] {
  const faulty: number[] = []
  let power = 0n
  for (const { index, power: own } of shuffled(set.members, random)) {
    if ((power + own) * 3n >= set.totalPower) continue
    power += own
    faulty.push(index)
  }
  return faulty.sort((a, b) => a - b)
}

function drawEvent({
  kind,
  atMs,
  size,
  faulty,
  behaviours,
  random,
}: {
  kind: FaultKind
  atMs: number
  size: number
  faulty: readonly number[]
  behaviours: readonly ByzantineBehaviour[]
  random: SeededRandom
}): FaultEvent | null {
  const node = random.below(size)
  const forMs = 200 + random.below(random.chance(0.2) ? 8_000 : 2_500)
  switch (kind) {
    case 'delay':
      return { atMs, kind, node, ms: 20 + random.below(random.chance(0.3) ? 1_500 : 200), forMs }
    case 'slow-disk':
      return { atMs, kind, node, ms: 5 + random.below(300), forMs }
    case 'loss':
      return { atMs, kind, probability: 0.02 + random.fraction() * 0.4, forMs }
    case 'duplication':
    case 'reordering':
      return { atMs, kind, probability: 0.1 + random.fraction() * 0.6, forMs }
    case 'partition':
      return { atMs, kind, side: someNodes(size, 1 + random.below(size - 1), random), forMs }
    case 'one-way':
      return { atMs, kind, from: node, to: (node + 1 + random.below(size - 1)) % size, forMs }
    case 'hidden-decision': {
      // Blind is best a faulty one: it need not be honest about what it did not see.
      const blind = faulty.length > 0 && random.chance(0.5) ? random.pick(faulty) : random.below(size)
      return { atMs, kind, node: blind === node ? (node + 1) % size : node, blind, forMs: 2_000 + forMs }
    }
    case 'crash':
      return drawCrash({ atMs, size, faulty, random })
    case 'disk-full':
    case 'l1-down':
      return { atMs, kind, node, forMs }
    case 'clock-skew':
      return { atMs, kind, node, ms: random.below(2_000) - 1_000, forMs }
    case 'restart':
      return { atMs, kind, node, component: random.chance(0.6) ? 'batcher' : 'submitter' }
    case 'l1-reorg':
      return { atMs, kind, depth: 1 + random.below(l1Confirmations) }
    case 'l1-lag':
      return { atMs, kind, node, blocks: 1 + random.below(8), forMs: 2 * forMs }
    case 'byzantine':
      if (faulty.length === 0) return null
      return { atMs, kind, node: random.pick(faulty), behaviour: random.pick(behaviours), forMs: 3 * forMs }
  }
}

/** One node, some or all of them at once; a faulty one may lose its log. */
function drawCrash({
  atMs,
  size,
  faulty,
  random,
}: {
  atMs: number
  size: number
  faulty: readonly number[]
  random: SeededRandom
}): FaultEvent {
  const count = random.chance(0.6) ? 1 : random.chance(0.5) ? size : 1 + random.below(size)
  const isFaulty = faulty.length > 0 && random.chance(0.3)
  const nodes = isFaulty ? [random.pick(faulty)] : someNodes(size, count, random)
  const crash = {
    atMs,
    kind: 'crash',
    nodes,
    power: random.chance(0.5),
    torn: random.fraction(),
    forMs: 20 + random.below(random.chance(0.3) ? 5_000 : 500),
  } as const
  const canLose = nodes.every(node => faulty.includes(node))
  return canLose && random.chance(0.7) ? { ...crash, logLost: true } : crash
}

function someNodes(size: number, count: number, random: SeededRandom): number[] {
  const all = Array.from({ length: size }, (_, i) => i)
  return shuffled(all, random)
    .slice(0, count)
    .sort((a, b) => a - b)
}

function shuffled<Item>(items: readonly Item[], random: SeededRandom): Item[] {
  const left = [...items]
  return items.map(() => left.splice(random.below(left.length), 1)[0]!)
}
