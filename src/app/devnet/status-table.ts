/** What the table shows of one node; null where it does not answer. */
export interface NodeRow {
  readonly name: string
  readonly role: string
  readonly pid: number
  readonly rpcUrl: string
  readonly status: {
    readonly height: number
    readonly round: number
    readonly step: string
    readonly peers: number
    readonly ready: boolean
    readonly syncing: boolean
  } | null
}

/** What the table shows of the whole network. */
export interface NetworkRow {
  readonly height: number
  readonly round: number
  readonly proposer: string
  readonly transactions: number
  readonly batches: { readonly sealed: number; readonly committed: number; readonly finalized: number }
  readonly l1: { readonly block: number | null; readonly rpcUrl: string }
}

/** Lines of the live table. */
export function renderTable({ network, nodes }: { network: NetworkRow; nodes: readonly NodeRow[] }): string[] {
  const { batches, l1 } = network
  const header = ['NODE', 'ROLE', 'PID', 'HEIGHT', 'ROUND', 'STEP', 'PEERS', 'HEALTH', 'RPC']
  const rows = nodes.map(({ name, role, pid, rpcUrl, status }) => [
    name,
    role,
    `${pid}`,
    status ? `${status.height}` : '-',
    status ? `${status.round}` : '-',
    status ? status.step : '-',
    status ? `${status.peers}` : '-',
    health(status),
    rpcUrl,
  ])
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map(row => row[column]!.length)))
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd()
  return [
    `L2   height ${network.height} · round ${network.round} · proposer ${network.proposer} · ${network.transactions} transactions`,
    `L1   ${l1.block === null ? 'down' : `block ${l1.block}`} · ${l1.rpcUrl} · batches ${batches.sealed} sealed, ${batches.committed} committed, ${batches.finalized} final`,
    '',
    line(header),
    ...rows.map(line),
  ]
}

/** The same in one plain line, for logs. */
export function renderLine({ network, nodes }: { network: NetworkRow; nodes: readonly NodeRow[] }): string {
  const { batches, l1 } = network
  const down = nodes.filter(node => !node.status).map(node => node.name)
  return `height ${network.height}  round ${network.round}  proposer ${network.proposer}  transactions ${network.transactions}  batches ${batches.sealed}/${batches.committed}/${batches.finalized}  L1 ${l1.block ?? 'down'}  nodes ${nodes.length - down.length}/${nodes.length}${down.length > 0 ? ` (down: ${down.join(', ')})` : ''}`
}

function health(status: NodeRow['status']): string {
  if (!status) return 'down'
  if (status.syncing) return 'syncing'
  return status.ready ? 'ok' : 'starting'
}
