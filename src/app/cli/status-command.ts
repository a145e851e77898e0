import { Command } from 'commander'
import { callRpc } from '../rpc-client.js'

/** `morphism status`: what a node says of itself. */
export function statusCommand(): Command {
  return new Command('status')
    .description('Show what a node reports of itself (morphism_nodeStatus).')
    .option('--rpc-url <url>', 'JSON-RPC address of the node', 'http://127.0.0.1:9545')
    .option('--json', 'print the raw answer')
    .action(async ({ rpcUrl, json }: { rpcUrl: string; json?: boolean }) => {
      const status = await callRpc<Record<string, unknown>>({ url: rpcUrl, method: 'morphism_nodeStatus' })
      if (json) return console.log(JSON.stringify(status, null, 2))
      const width = Math.max(...Object.keys(status).map(name => name.length))
      for (const [name, value] of Object.entries(status)) console.log(`${name.padEnd(width)}  ${shown(value)}`)
    })
}

function shown(value: unknown): string {
  const plain = decimal(value)
  return typeof plain === 'object' ? JSON.stringify(plain, (_, inner) => decimal(inner)) : String(plain)
}

/** A quantity as a person reads it; hashes and addresses are longer. */
function decimal(value: unknown): unknown {
  return typeof value === 'string' && /^0x[0-9a-f]{1,13}$/.test(value) ? Number(value) : value
}
