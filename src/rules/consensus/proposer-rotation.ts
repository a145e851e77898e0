import { invariant } from '../../base/primitives/invariant.js'
import type { Height, MemberIndex, Round } from '../../base/primitives/quantities.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'

/** Most turns in a set's schedule; powers that need more are rounded to this resolution. */
export const maxScheduleLength = 4_096

const schedules = new WeakMap<SequencerSet, Uint16Array>()

/**
 * Who proposes in this round: a function of the set, the height and the round alone, so that no history is needed. In any
 * run of consecutive turns (heights of one round, or rounds of one height) a member of N has its share of them by turns to
 * within H(N) - 1/N < 1 + ln N, H being the harmonic number; derived in spec/consensus.md, "Proposers".
 */
export function proposerOf(set: SequencerSet, height: Height, round: Round): MemberIndex {
  let schedule = schedules.get(set)
  if (!schedule) {
    schedule = scheduleTurns(turnsOf(set))
    schedules.set(set, schedule)
  }
  return schedule[(height + round) % schedule.length]!
}

/**
 * Turns of each member in one pass of the schedule: its power reduced by the common divisor or, when that is too long, scaled
 * down to 4,096 turns, which differs from its exact part of them by at most max(2, N times its share of the power).
 */
export function turnsOf(set: SequencerSet): number[] {
  invariant(set.members.length > 0, 'a sequencer set has members', { setId: set.setId })
  const divisor = set.members.reduce((common, { power }) => greatestCommonDivisor(common, power), 0n)
  invariant(divisor > 0n, 'a sequencer set has power', { setId: set.setId })
  if (set.totalPower / divisor <= BigInt(maxScheduleLength)) return set.members.map(m => Number(m.power / divisor))
  return largestRemainders(set)
}

/** Shares `maxScheduleLength` turns by power: one for each member, the rest by largest remainder, ties to the lower index. */
function largestRemainders({ members, totalPower }: SequencerSet): number[] {
  const spare = BigInt(maxScheduleLength - members.length)
  const turns = members.map(({ power }) => 1 + Number((power * spare) / totalPower))
  const left = maxScheduleLength - turns.reduce((sum, turn) => sum + turn, 0)
  const remainder = (index: number) => (members[index]!.power * spare) % totalPower
  const byRemainder = members
    .map((_, index) => index)
    .sort((a, b) => (remainder(a) === remainder(b) ? a - b : remainder(a) > remainder(b) ? -1 : 1))
  for (const index of byRemainder.slice(0, left)) turns[index]!++
  return turns
}

/** Smooth weighted round robin: every member gains its turns as credit, the one with most credit goes and pays for the pass. */
function scheduleTurns(turns: readonly number[]): Uint16Array {
  const length = turns.reduce((sum, turn) => sum + turn, 0)
  const credit = turns.map(() => 0)
  return Uint16Array.from({ length }, () => {
    let richest = 0
    for (let i = 0; i < turns.length; i++) {
      credit[i]! += turns[i]!
      if (credit[i]! > credit[richest]!) richest = i
    }
    credit[richest]! -= length
    return richest
  })
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  let [larger, smaller] = [a, b]
  while (smaller > 0n) [larger, smaller] = [smaller, larger % smaller]
  return larger
}
