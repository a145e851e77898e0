import { Command } from 'commander'
import type { RecoveryReport } from '../bench/measure-recovery.js'
import { whole } from './devnet-command.js'
import { writeReport } from './write-report.js'

interface RecoveryFlags {
  readonly sequencers: number
  readonly blocks: number
  readonly interval: number
  readonly json?: string
}

/** `morphism recovery`: how long a network takes to come back from what operators fear. */
export function recoveryCommand(): Command {
  return new Command('recovery')
    .description('Kill, wipe and damage a devnet of its own, and measure how long it takes to come back.')
    .option('--sequencers <n>', 'number of sequencers', whole(4, 16), 4)
    .option('--blocks <n>', 'blocks that one node misses before it comes back', whole(1, 1_000_000), 2_000)
    .option('--interval <ms>', 'interval of blocks; a short one makes many of them sooner', whole(1, 60_000), 100)
    .option('--json <file>', 'write the figures as JSON too (- for standard output)')
    .action(async ({ sequencers, blocks, interval: intervalMs, json }: RecoveryFlags) => {
      const { measureRecovery } = await import('../bench/measure-recovery.js')
      const report = await measureRecovery({ sequencers, blocks, intervalMs, say: line => console.error(line) })
      await writeReport({ report, table: recoveryTable(report), json })
    })
}

function recoveryTable({ sequencers, allKilled, wiped, oneBack, cutLog }: RecoveryReport): string {
  const seconds = (ms: number) => `${(ms / 1_000).toFixed(2)} s`
  const rows: [string, string][] = [
    [
      `all ${sequencers} killed at height ${allKilled.height}`,
      `answer after ${seconds(allKilled.answersMs)}, next block after ${seconds(allKilled.firstBlockMs)}, at every node after ${seconds(allKilled.allNodesMs)}`,
    ],
    [
      `${wiped.nodes} of ${sequencers} wiped, ${wiped.height} blocks to fetch`,
      `answer after ${seconds(wiped.answersMs)}, all at the head after ${seconds(wiped.atHeadMs)}, next block at all after ${seconds(wiped.goesOnMs)}`,
    ],
    [
      `one back after ${oneBack.blocks} blocks (${seconds(oneBack.awayMs)})`,
      `answers after ${seconds(oneBack.answersMs)}, level after ${seconds(oneBack.levelMs)}, its precommit counts after ${seconds(oneBack.signsMs)}`,
    ],
    ...cutLog.map(({ bytes, answersMs, levelMs, signsMs }): [string, string] => [
      `log cut by ${bytes} ${bytes === 1 ? 'byte' : 'bytes'}`,
      `answers after ${seconds(answersMs)}, level after ${seconds(levelMs)}, its precommit counts after ${seconds(signsMs)}`,
    ]),
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  const lines = rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`)
  return [
    ...lines,
    '',
    'Times are from the start of the processes. Keys and signing records are never wiped: a node that forgot what it',
    'signed could sign twice.',
  ].join('\n')
}
