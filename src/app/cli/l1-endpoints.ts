import { InvalidArgumentError } from 'commander'
import { parseEther } from 'viem'
import { isQuorum, majorityOf } from '../../io/l1/quorum/l1-quorum.js'
import { AppError } from '../app-error.js'
import type { NodeConfig } from '../node/node-config.js'

export const defaultL1Rpc = 'http://127.0.0.1:8545'

/** How the node reaches L1, by `--l1-rpc`, `--l1-quorum` and `--l1-fee-cap`. @throws AppError L1_ENDPOINTS */
export function l1Endpoints({
  l1Rpc = [defaultL1Rpc],
  l1Quorum,
  l1FeeCap,
}: {
  readonly l1Rpc?: readonly string[]
  readonly l1Quorum?: number
  /** In wei. */
  readonly l1FeeCap?: bigint
}): NodeConfig['l1'] {
  const [first, ...others] = l1Rpc
  if (first === undefined) throw new AppError('L1_ENDPOINTS', 'Give at least one L1 endpoint to --l1-rpc.')
  // What is malformed may hold a key: the message names its place, not its text.
  l1Rpc.forEach((url, i) => {
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
      throw new AppError('L1_ENDPOINTS', `L1 endpoint ${i} of --l1-rpc is no http or https URL.`, { endpoint: i })
  })
  if (new Set(l1Rpc.map(url => new URL(url).href)).size < l1Rpc.length)
    throw new AppError('L1_ENDPOINTS', 'An L1 endpoint is given twice: its voice would count twice.')
  if (l1Quorum !== undefined && !isQuorum(l1Quorum, l1Rpc.length)) {
    const least = majorityOf(l1Rpc.length)
    throw new AppError(
      'L1_ENDPOINTS',
      `--l1-quorum ${l1Quorum} of ${l1Rpc.length} L1 endpoints: a quorum is ${least} to ${l1Rpc.length} of them.`,
    )
  }
  return {
    rpcUrls: [first, ...others],
    ...(l1Quorum === undefined ? {} : { quorum: l1Quorum }),
    ...(l1FeeCap === undefined ? {} : { feeCap: l1FeeCap }),
  }
}

/** Reads an amount of ether, as `0.25`, in wei. */
export function ether(text: string): bigint {
  if (!/^\d+(\.\d{1,18})?$/.test(text)) throw new InvalidArgumentError('must be an amount of ether, like 0.25.')
  return parseEther(text)
}
