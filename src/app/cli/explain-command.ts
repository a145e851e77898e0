import { Command } from 'commander'
import { AppError } from '../app-error.js'
import { callRpc } from '../rpc-client.js'
import { compareStateDiffs, type StateDifference, type StateDiffJson } from './compare-state-diffs.js'
import { whole } from './devnet-command.js'

interface ExplainFlags {
  readonly rpcUrl: string
  readonly json?: boolean
  readonly height?: number
  readonly transaction?: string
  readonly block?: string
  readonly against?: string
}

/** `morphism explain`: why there is no block, who is missing, what was refused, which accounts differ. */
export function explainCommand(): Command {
  return new Command('explain')
    .description('Say why there is no block now, who is missing, what the node refused, and which accounts differ.')
    .option('--rpc-url <url>', 'JSON-RPC address of the node', 'http://127.0.0.1:9545')
    .option('--json', 'print the data too')
    .option('--height <height>', 'say how this height was decided', whole(0, Number.MAX_SAFE_INTEGER))
    .option('--transaction <hash>', 'say where this transaction is, what it waits for, or why it was dropped')
    .option('--block <hash>', 'compare what this block changed at the node and at another one')
    .option('--against <url>', 'JSON-RPC address of the other node (with --block)')
    .action(async ({ rpcUrl: rpc, json, height, transaction, block, against }: ExplainFlags) => {
      if (Boolean(block) !== Boolean(against))
        throw new AppError('BAD_FLAGS', 'Give --block and --against together: one block, at two nodes.')
      if (block && against) return explainBlock({ rpc, against, block, json: json ?? false })
      if (transaction) return explainTransaction({ rpc, transaction, json: json ?? false })
      const params = height === undefined ? [] : [`0x${height.toString(16)}`]
      const explained = await callRpc<{ reason: string | null; sentences: readonly string[] }>({
        url: rpc,
        method: 'morphism_explain',
        params,
      })
      if (json) return console.log(JSON.stringify(explained, null, 2))
      if (explained.reason) console.log(explained.reason)
      for (const sentence of explained.sentences) console.log(sentence)
    })
}

async function explainTransaction({
  rpc,
  transaction,
  json,
}: {
  rpc: string
  transaction: string
  json: boolean
}): Promise<void> {
  const explained = await callRpc<{ place: string; sentence: string } | null>({
    url: rpc,
    method: 'morphism_explainTransaction',
    params: [transaction],
  })
  if (!explained) throw new AppError('UNKNOWN_TRANSACTION', `${rpc} knows no such transaction.`, { transaction })
  if (json) return console.log(JSON.stringify(explained, null, 2))
  console.log(explained.place)
  console.log(explained.sentence)
}

async function explainBlock({
  rpc,
  against,
  block,
  json,
}: {
  rpc: string
  against: string
  block: string
  json: boolean
}): Promise<void> {
  const [mine, theirs] = await Promise.all([stateDiff(rpc, block), stateDiff(against, block)])
  const differences = compareStateDiffs(mine, theirs)
  if (json) return console.log(JSON.stringify({ mine, theirs, differences }, null, 2))
  for (const sentence of [
    `Block ${block} at height ${Number(mine.height)} claims state root ${mine.claimedStateRoot}.`,
    `${rpc} computed ${mine.computedStateRoot} and changed ${Number(mine.changed)} accounts.`,
    `${against} computed ${theirs.computedStateRoot} and changed ${Number(theirs.changed)} accounts.`,
    ...differenceSentences({ differences, mine, theirs }),
  ])
    console.log(sentence)
}

function differenceSentences({
  differences,
  mine,
  theirs,
}: {
  differences: readonly StateDifference[]
  mine: StateDiffJson
  theirs: StateDiffJson
}): string[] {
  const accounts = new Set(differences.map(({ address }) => address)).size
  const sentences =
    accounts > 0
      ? [`${accounts} ${accounts === 1 ? 'account differs' : 'accounts differ'}:`]
      : mine.computedStateRoot === theirs.computedStateRoot
        ? ['Both computed the same state.']
        : ['No account that either changed differs: their states differed before this block.']
  for (const { address, field, mine: here, theirs: there } of differences)
    sentences.push(`  ${address} ${field}: ${valueText(field, here)} here, ${valueText(field, there)} there`)
  if ([mine, theirs].some(({ accounts: listed, changed }) => listed.length < Number(changed)))
    sentences.push('Not all changed accounts are listed: a node names only so many.')
  return sentences
}

function valueText(field: StateDifference['field'], value: string | null): string {
  if (value === null) return 'not changed'
  return field === 'nonce' || field === 'balance' ? BigInt(value).toString() : value
}

async function stateDiff(url: string, block: string): Promise<StateDiffJson> {
  const diff = await callRpc<StateDiffJson | null>({
    url,
    method: 'morphism_stateDiff',
    params: [block],
    timeoutMs: 30_000,
  })
  if (diff) return diff
  throw new AppError(
    'UNKNOWN_BLOCK',
    `${url} knows no such block: it is neither on its chain nor one of the last that it refused for their roots.`,
    { block },
  )
}
