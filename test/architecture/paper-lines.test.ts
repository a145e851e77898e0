import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'

/** Algorithm 1 of arXiv 1807.04938, what each of its lines 11 to 67 says. */
const linesOfThePaper: ReadonlyMap<number, string> = new Map([
  [11, 'a round starts'],
  [12, 'it becomes the current one'],
  [13, 'at step propose'],
  [14, 'the proposer of the round'],
  [15, 'with a valid value'],
  [16, 'proposes that'],
  [17, 'and without one'],
  [18, 'asks for a value'],
  [19, 'and broadcasts the proposal with its valid round'],
  [20, 'everybody else'],
  [21, 'schedules timeoutPropose'],
  [22, 'a proposal without a valid round, in step propose'],
  [23, 'is accepted when valid and not against a lock'],
  [24, 'by a prevote'],
  [25, 'otherwise'],
  [26, 'by a prevote of nil'],
  [27, 'then step prevote'],
  [28, 'a proposal with a valid round and its 2f+1 prevotes, in step propose'],
  [29, 'is accepted when valid and the lock is not later'],
  [30, 'by a prevote'],
  [31, 'otherwise'],
  [32, 'by a prevote of nil'],
  [33, 'then step prevote'],
  [34, '2f+1 prevotes of any kind, first time, in step prevote'],
  [35, 'schedule timeoutPrevote'],
  [36, '2f+1 prevotes for a valid proposal, first time, from step prevote on'],
  [37, 'in step prevote'],
  [38, 'lock the value'],
  [39, 'and the round'],
  [40, 'broadcast a precommit'],
  [41, 'then step precommit'],
  [42, 'in any case it is the valid value'],
  [43, 'of this round'],
  [44, '2f+1 prevotes of nil, in step prevote'],
  [45, 'a precommit of nil'],
  [46, 'then step precommit'],
  [47, '2f+1 precommits of any kind, first time'],
  [48, 'schedule timeoutPrecommit'],
  [49, 'a proposal and its 2f+1 precommits in any round'],
  [50, 'for a valid value'],
  [51, 'decide it'],
  [52, 'the height goes up'],
  [53, 'locks, valid values and messages are forgotten'],
  [54, 'and round 0 starts'],
  [55, 'f+1 messages of a later round'],
  [56, 'start that round'],
  [57, 'timeoutPropose fires'],
  [58, 'in its height, round and step'],
  [59, 'a prevote of nil'],
  [60, 'then step prevote'],
  [61, 'timeoutPrevote fires'],
  [62, 'in its height, round and step'],
  [63, 'a precommit of nil'],
  [64, 'then step precommit'],
  [65, 'timeoutPrecommit fires'],
  [66, 'in its height and round'],
  [67, 'the next round starts'],
])

const namedTraces = [
  'hidden lock',
  'decide for a past round',
  're-proposal with a valid round',
  'nil polka',
  'round skip by f+1',
]

const folder = path.join('src', 'rules', 'consensus')

function titlesIn(file: string): string[] {
  const text = readFileSync(path.join(folder, file), 'utf8')
  return [...text.matchAll(/\bit\(\s*'([^']+)'/g)].map(([, title]) => title!)
}

const testTitles = () =>
  readdirSync(folder)
    .filter(file => file.endsWith('.test.ts'))
    .flatMap(titlesIn)

/** The lines that a title cites before its colon: 'L14, L17-L19: …' cites 14, 17, 18 and 19. */
function citedBy(title: string): number[] {
  const citation = title.match(/^(L\d\d(?:-L\d\d)?(?:, (?:L\d\d(?:-L\d\d)?|PBTS))*): /)?.[1]
  if (!citation) return []
  return [...citation.matchAll(/L(\d\d)(?:-L(\d\d))?/g)].flatMap(([, first, last]) => {
    const from = Number(first)
    return Array.from({ length: Number(last ?? first) - from + 1 }, (_, i) => from + i)
  })
}

const uncited = (titles: readonly string[]): number[] => {
  const cited = new Set(titles.flatMap(citedBy))
  return [...linesOfThePaper.keys()].filter(line => !cited.has(line))
}

describe('Algorithm 1 by its tests', () => {
  it('cites every line from L11 to L67 in the title of a test', () => {
    expect([...linesOfThePaper.keys()]).toEqual(Array.from({ length: 57 }, (_, i) => 11 + i))
    expect(uncited(testTitles())).toEqual([])
  })

  it('cites no line that is not there', () => {
    expect(
      testTitles()
        .flatMap(citedBy)
        .filter(line => !linesOfThePaper.has(line)),
    ).toEqual([])
    const almost = testTitles().filter(title => /^L\d/.test(title) && citedBy(title).length === 0)
    expect(almost, 'titles that begin like a citation').toEqual([])
  })

  it('notices a line without a test', () => {
    const without = testTitles().filter(title => !citedBy(title).includes(44))
    expect(uncited(without)).toEqual([44, 45, 46])
  })

  it.each(namedTraces)('has the trace: %s', name => {
    expect(titlesIn('core-traces.test.ts').some(title => title.startsWith(`${name}:`))).toBe(true)
  })
})
