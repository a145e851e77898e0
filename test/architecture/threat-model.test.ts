import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

interface Property {
  readonly name: string
  readonly text: string
  readonly tests: { readonly file: string; readonly title: string }[]
}

const page = readFileSync('THREAT_MODEL.md', 'utf8')

/** The sections '### P1 Agreement' and so on, with their list of tests: '- `file`: title'. */
function propertiesOf(markdown: string): Property[] {
  return markdown
    .split(/^(?=#{2,3} )/m)
    .filter(section => /^### P\d/.test(section))
    .map(text => ({
      name: text.match(/^### (P\d+)/)![1]!,
      text,
      tests: [...text.matchAll(/^- `([^`]+)`: (.+)$/gm)].map(([, file, title]) => ({ file: file!, title: title! })),
    }))
}

const assumptionsOf = (markdown: string) => [...markdown.matchAll(/^\| (A\d+) \|/gm)].map(([, name]) => name!)

/** Whether the file, of tests or of a suite, has a test or a group of tests of exactly this title; in Solidity, a function of this name. */
function hasTest({ file, title }: Property['tests'][number]): boolean {
  if (!/\.(test\.ts|fixture\.ts|t\.sol)$/.test(file) || !existsSync(file)) return false
  const text = readFileSync(file, 'utf8')
  if (file.endsWith('.sol')) return text.includes(`function ${title}(`)
  return ["'", '"', '`'].some(quote => text.includes(`(${quote}${title}${quote}`))
}

/** What is wrong with the page, in words. */
function faultsOf(markdown: string): string[] {
  const properties = propertiesOf(markdown)
  const assumptions = assumptionsOf(markdown)
  const expected = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}${i + 1}`)
  const faults: string[] = []
  const names = properties.map(({ name }) => name)
  if (names.join() !== expected('P', names.length).join()) faults.push(`properties are numbered ${names}`)
  if (assumptions.join() !== expected('A', assumptions.length).join())
    faults.push(`assumptions are numbered ${assumptions}`)
  for (const { name, text, tests } of properties) {
    if (tests.length === 0) faults.push(`${name} names no test`)
    for (const test of tests) if (!hasTest(test)) faults.push(`${name}: no test ${test.file}: ${test.title}`)
    for (const [assumption] of text.matchAll(/\bA\d+\b/g))
      if (!assumptions.includes(assumption)) faults.push(`${name}: no assumption ${assumption}`)
    for (const part of ['Assumes ', 'Mechanism: ', 'Breaks: '])
      if (!text.includes(part)) faults.push(`${name} lacks "${part.trim()}"`)
  }
  for (const assumption of assumptions)
    if (!properties.some(({ text }) => new RegExp(`\\b${assumption}\\b`).test(text)))
      faults.push(`${assumption} is needed by nothing`)
  for (const [, file] of markdown.matchAll(/`((?:src|test|contracts|spec|docs)\/[^`]+)`/g))
    if (!existsSync(file!)) faults.push(`no file ${file}`)
  return faults
}

describe('THREAT_MODEL.md', () => {
  it('names for every property its assumptions, mechanism and tests, and all of them exist', () => {
    expect(propertiesOf(page).length).toBeGreaterThanOrEqual(19)
    expect(assumptionsOf(page).length).toBeGreaterThanOrEqual(8)
    expect(faultsOf(page)).toEqual([])
  })

  const breakage: [string, (markdown: string) => string, string][] = [
    ['a title that is no test', md => md.replace(/hidden lock: .*$/m, 'hidden lock'), 'P1: no test'],
    [
      'a file that is no test',
      md => md.replace('`src/rules/consensus/core-traces.test.ts`: a', '`README.md`: a'),
      'no test README.md',
    ],
    [
      'a property without tests',
      md => md.replace(/^- (?=.*import-law|.*core-traces.*replay|.*equal sets agree)/gm, ''),
      'P18 names no test',
    ],
    ['a gap in the numbers', md => md.replace('### P7 ', '### P70 '), 'properties are numbered'],
    ['an assumption that is not there', md => md.replace('Assumes A5.', 'Assumes A99.'), 'no assumption A99'],
    [
      'a mechanism that moved',
      md => md.replace('consensus/timeouts.ts', 'consensus/time.ts'),
      'no file src/rules/consensus/time.ts',
    ],
  ]
  it.each(breakage)('does not pass with %s', (_, change, fault) => {
    expect(faultsOf(change(page)).join('\n')).toContain(fault)
  })
})
