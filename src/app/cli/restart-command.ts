import { Command } from 'commander'
import { AppError } from '../app-error.js'
import { callIpc } from '../ipc-client.js'
import type { ComponentJson } from '../node/admin-methods.js'
import { adminSocketOf } from '../node/admin-socket.js'

/** `morphism restart`: a part of a running node is stopped and started again, while the node votes on. */
export function restartCommand(): Command {
  return new Command('restart')
    .description('Restart a part of a running node, which goes on voting meanwhile.')
    .argument('[component]', 'rpc, submitter or batcher')
    .requiredOption('--data-dir <dir>', 'data directory of the node, on this machine')
    .option('--list', 'show the parts that can be restarted, and how they are')
    .option('--json', 'print the raw answer')
    .action(async (component: string | undefined, flags: { dataDir: string; list?: boolean; json?: boolean }) => {
      if ((component === undefined) !== Boolean(flags.list))
        throw new AppError('BAD_FLAGS', 'Name one component to restart, or give --list.')
      const path = adminSocketOf(flags.dataDir)
      const rows =
        component === undefined
          ? await callIpc<ComponentJson[]>({ path, method: 'admin_components' })
          : [await callIpc<ComponentJson>({ path, method: 'admin_restart', params: [component] })]
      console.log(flags.json ? JSON.stringify(flags.list ? rows : rows[0], null, 2) : table(rows))
    })
}

function table(rows: readonly ComponentJson[]): string {
  const head = ['component', 'state', 'since', 'restarts', 'last error']
  const lines = [head, ...rows.map(row => [row.name, row.state, row.since, `${row.restarts}`, row.lastError ?? '-'])]
  const widths = head.map((_, column) => Math.max(...lines.map(line => line[column]!.length)))
  return lines
    .map(line =>
      line
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
