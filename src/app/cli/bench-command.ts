import { Command } from 'commander'
import type { BenchReport } from '../bench/run-bench.js'
import { whole } from './devnet-command.js'
import { writeReport } from './write-report.js'

interface BenchFlags {
  readonly devnet?: string
  readonly sequencers: number
  readonly samples: number
  readonly warmUp: number
  readonly transfers: number
  readonly erc20: number
  readonly json?: string
}

/** `morphism bench`: latency, throughput and CPU of a network of real processes. */
export function benchCommand(): Command {
  return new Command('bench')
    .description('Measure latency, throughput and CPU of a network: one of its own, or a running devnet.')
    .option('--devnet <file>', 'devnet.json of a running devnet')
    .option('--sequencers <n>', 'sequencers of the network of its own', whole(1, 64), 4)
    .option('--samples <n>', 'transactions of the latency measurement', whole(1, 100_000), 150)
    .option('--warm-up <n>', 'transactions before those, which compile what is measured', whole(0, 100_000), 600)
    .option('--transfers <n>', 'transfers of the throughput measurement', whole(1, 10_000_000), 40_000)
    .option('--erc20 <n>', 'ERC-20 transfers of the throughput measurement', whole(1, 10_000_000), 15_000)
    .option('--json <file>', 'write the figures as JSON too (- for standard output)')
    .action(async ({ devnet, sequencers, samples, warmUp, transfers, erc20, json }: BenchFlags) => {
      const { runBench } = await import('../bench/run-bench.js')
      const say = (line: string) => console.error(line)
      const report = await runBench({
        devnetFile: devnet ?? null,
        sequencers,
        samples,
        warmUp,
        transfers,
        erc20Transfers: erc20,
        say,
      })
      await writeReport({ report, table: table(report), json })
    })
}

function table({ sequencers, cpus, latency, transfers, erc20, consensusShare }: BenchReport): string {
  const ms = (value: number) => `${value.toFixed(1)} ms`
  const rate = (value: number) => `${Math.round(value).toLocaleString('en')}/s`
  const rows: [string, string][] = [
    ['network', `${sequencers} sequencers on ${cpus} cores`],
    [
      'latency, send to receipt at another node',
      `p50 ${ms(latency.p50Ms)}, p90 ${ms(latency.p90Ms)}, p99 ${ms(latency.p99Ms)}`,
    ],
    ...latency.blockSteps.map(({ step, meanMs }): [string, string] => [`  ${step}`, ms(meanMs)]),
    ['CPU of a block with one transaction, all nodes', ms(latency.cpuMsPerBlock)],
    [
      'transfers',
      `${rate(transfers.acceptedPerSec)} accepted, ${rate(transfers.executedPerSec)} executed, ${transfers.blocksPerSec.toFixed(1)} blocks/s`,
    ],
    ['CPU of a transfer, all nodes', ms(transfers.cpuMsPerTransaction)],
    [
      'ERC-20 transfers',
      `${rate(erc20.acceptedPerSec)} accepted, ${rate(erc20.executedPerSec)} executed, ${erc20.blocksPerSec.toFixed(1)} blocks/s`,
    ],
    ['CPU of an ERC-20 transfer, all nodes', ms(erc20.cpuMsPerTransaction)],
    [
      'blocks apart from their transactions',
      `${(consensusShare * 100).toFixed(0)} % of the CPU of sustained transfers`,
    ],
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n')
}
