import { Command } from 'commander'
import type { BlockIntervals } from '../bench/block-watch.js'
import type { LivenessReport } from '../bench/measure-liveness.js'
import { whole } from './devnet-command.js'
import { writeReport } from './write-report.js'

interface LivenessFlags {
  readonly sequencers: number
  readonly rate: number
  readonly seconds: number
  readonly kills?: number
  readonly json?: string
}

/** `morphism liveness`: what one dead sequencer does to the intervals of blocks. */
export function livenessCommand(): Command {
  return new Command('liveness')
    .description(
      'Kill the sequencers of a devnet of its own one at a time under load, and measure the block intervals.',
    )
    .option('--sequencers <n>', 'number of sequencers', whole(4, 16), 4)
    .option('--rate <n>', 'transactions per second, spread over the nodes that are up', whole(1, 10_000), 100)
    .option('--seconds <n>', 'how long each state is measured', whole(1, 3_600), 10)
    .option('--kills <n>', 'how many are killed, one after the other (default: each once)', whole(1, 1_000))
    .option('--json <file>', 'write the figures as JSON too (- for standard output)')
    .action(async ({ sequencers, rate, seconds, kills, json }: LivenessFlags) => {
      const { measureLiveness } = await import('../bench/measure-liveness.js')
      const report = await measureLiveness({
        sequencers,
        perSecond: rate,
        seconds,
        kills: kills ?? sequencers,
        say: line => console.error(line),
      })
      await writeReport({ report, table: livenessTable(report), json })
    })
}

function livenessTable({ healthy, kills, meanRatio, longestDownMs }: LivenessReport): string {
  const ms = (value: number) => `${value.toFixed(0)} ms`
  const row = (name: string, { blocks, transactionsPerSec, meanMs, ...gaps }: BlockIntervals) => [
    name,
    `${blocks}`,
    `${transactionsPerSec.toFixed(0)}/s`,
    `${meanMs.toFixed(1)} ms`,
    ms(gaps.firstMs),
    ms(gaps.longestMs),
    ms(gaps.longestByTimestampMs),
  ]
  const rows = [
    ['', 'blocks', 'included', 'mean interval', 'first gap', 'longest gap', 'by timestamps'],
    row('all up', healthy),
    ...kills.flatMap(({ killed, down, returning, back }) => [
      row(`${killed} down`, down),
      row('  coming back', returning),
      row('  back', back),
    ]),
  ]
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(cells => cells[column]!.length)))
  const lines = rows.map(cells =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '),
  )
  return [
    ...lines,
    '',
    `With one down: mean interval x${meanRatio.toFixed(2)} of the healthy network's, longest gap ${ms(longestDownMs)}.`,
    'Gaps are from the arrival of a block at another node to that of the next; the first one spans the kill or the start.',
  ].join('\n')
}
