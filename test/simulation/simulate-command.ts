import { Command } from 'commander'
import { whole } from '../../src/app/cli/devnet-command.js'

/** `morphism simulate`: the whole network in virtual time, with faults, from a seed. */
export function simulateCommand(): Command {
  return new Command('simulate')
    .description(
      'Run the whole network in virtual time with faults drawn from a seed, and check that its promises hold.',
    )
    .option('--seed <text>', 'seed of the run; a fresh one when left out')
    .option('--seeds <k>', 'run so many seeds: fresh ones, or those that follow --seed', whole(1, 1_000_000), 1)
    .option('--nodes <n,…>', 'sequencers; several sizes are taken in turn', '4')
    .option('--heights <h>', 'heights that every honest node must decide', whole(1, 1_000_000), 100)
    .option(
      '--scenario <name>',
      'calm, chaos, partitions, crashes, byzantine, l1, restarts, upgrade or aggregation',
      'chaos',
    )
    .option('--workers <n>', 'threads, one seed each', whole(1, 64), 2)
    .option('--real-signatures', 'BLS12-381 in place of its twin')
    .option('--replay <file>', 'repeat the run of a schedule that a failure left')
    .option(
      '--mutations [text]',
      'instead: show that faults put into the code are caught (all, or those that name the text)',
    )
    .option(
      '--wide-area',
      'no faults: latencies of cloud regions, links of 1 Gbit/s, CPU as measured; figures of a block',
    )
    .option('--json', 'one JSON object a run')
    .action(async flags => {
      const { runSimulateCommand } = await import('./run-simulate-command.js')
      process.exitCode = await runSimulateCommand(flags)
    })
}
