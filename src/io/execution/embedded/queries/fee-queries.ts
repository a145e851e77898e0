import type { Hex } from '../../../../base/primitives/bytes.js'
import type { BlockHash } from '../../../../base/primitives/hashes.js'
import { invariant } from '../../../../base/primitives/invariant.js'
import type { Height, Wei } from '../../../../base/primitives/quantities.js'
import type { BlockHeader } from '../../../../base/protocol/block-header.js'
import type { ChainReader } from '../reading.js'
import { readBlockNumber, resolveHeight } from './block-selector.js'
import { quantityProblem, toQuantity } from './hex-arguments.js'
import type { QueryMethods } from './query-method.js'
import { ArgumentError, type ArgumentReader, ArgumentTypeError, jsonKind, serverError } from './rpc-argument.js'

/** Most blocks of one eth_feeHistory (as geth). */
const maxFeeHistory = 1024
const maxPercentiles = 100
const sampledBlocks = 20
const samplesPerBlock = 3
const samplePercentile = 60
const maxSuggestedTip: Wei = 500_000_000_000n

/** Price suggestions and fee history. */
export function feeQueries({
  chain,
  defaultPriorityFee,
  checkTime,
}: {
  chain: ChainReader
  /** What is suggested while blocks hold nothing to learn from. */
  defaultPriorityFee: Wei
  /** Called at each block of a history; throws to end it. */
  checkTime: () => void
}): QueryMethods {
  let suggestion: { readonly forBlock: BlockHash; readonly tip: Wei } | undefined

  // The 60th percentile of the cheapest tips of recent blocks, computed once a block.
  const suggestTip = (): Wei => {
    const { number } = chain.heads().head
    const forBlock = chain.hashAt(number)
    if (suggestion && suggestion.forBlock === forBlock) return suggestion.tip
    const samples: Wei[] = []
    for (let height = number; height > 0 && height > number - sampledBlocks; height--)
      samples.push(...tipsAt(chain, height).slice(0, samplesPerBlock))
    samples.sort(ascending)
    let tip = samples[Math.floor(((samples.length - 1) * samplePercentile) / 100)] ?? defaultPriorityFee
    if (tip > maxSuggestedTip) tip = maxSuggestedTip
    if (forBlock) suggestion = { forBlock, tip }
    return tip
  }

  return {
    eth_gasPrice(args) {
      args.end()
      return toQuantity(chain.heads().head.baseFeePerGas + suggestTip())
    },
    eth_maxPriorityFeePerGas(args) {
      args.end()
      return toQuantity(suggestTip())
    },
    eth_blobBaseFee(args) {
      args.end()
      return '0x1'
    },
    eth_feeHistory(args) {
      const count = args.required(readCount)
      const newest = args.required(readBlockNumber)
      const percentiles = args.optional(readPercentiles) ?? []
      args.end()
      checkPercentiles(percentiles)
      const last = resolveHeight(chain, newest) ?? 0
      const head = chain.heads().head.number
      if (last > head) throw serverError(`request beyond head block: requested ${last}, head ${head}`)
      return feeHistory({ chain, last, count: Math.min(count, maxFeeHistory, last + 1), percentiles, checkTime })
    },
  }
}

function feeHistory({
  chain,
  last,
  count,
  percentiles,
  checkTime,
}: {
  chain: ChainReader
  last: Height
  count: number
  percentiles: readonly number[]
  checkTime: () => void
}): Record<string, unknown> {
  if (count < 1) return { oldestBlock: '0x0', gasUsedRatio: null }
  const headers: BlockHeader[] = []
  for (let height = last - count + 1; height <= last; height++) headers.push(requireCanonical(chain, height))
  const rewardsOf = (header: BlockHeader) => {
    checkTime()
    return rewards(chain, header, percentiles)
  }
  const baseFees = headers.map(header => header.baseFeePerGas)
  const afterLast = chain.headerAt(last + 1)?.baseFeePerGas ?? nextBaseFee(headers.at(-1)!)
  return {
    oldestBlock: toQuantity(last - count + 1),
    ...(percentiles.length > 0 ? { reward: headers.map(rewardsOf) } : {}),
    baseFeePerGas: [...baseFees, afterLast].map(toQuantity),
    gasUsedRatio: headers.map(header => header.gasUsed / header.gasLimit),
    baseFeePerBlobGas: Array.from({ length: count + 1 }, () => '0x1'),
    blobGasUsedRatio: headers.map(() => 0),
  }
}

function requireCanonical(chain: ChainReader, height: Height): BlockHeader {
  const header = chain.headerAt(height)
  invariant(header, 'every height up to the head has a header', { height })
  return header
}

const ascending = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0)

/** What each transaction of the block paid above the base fee, ascending. */
function tipsAt(chain: ChainReader, height: Height): Wei[] {
  const { gasUsed, baseFeePerGas } = requireCanonical(chain, height)
  if (gasUsed === 0) return []
  const outcomes = chain.outcomesAt(height) ?? []
  return outcomes.map(({ effectiveGasPrice }) => effectiveGasPrice - baseFeePerGas).sort(ascending)
}

/** Tips at the percentiles of the block's gas, as geth weighs them. */
function rewards(chain: ChainReader, header: BlockHeader, percentiles: readonly number[]): Hex[] {
  const outcomes = header.gasUsed === 0 ? [] : (chain.outcomesAt(header.number) ?? [])
  if (outcomes.length === 0) return percentiles.map(() => '0x0')
  const paid = outcomes
    .map(({ gasUsed, effectiveGasPrice }) => ({ gasUsed, tip: effectiveGasPrice - header.baseFeePerGas }))
    .sort((a, b) => ascending(a.tip, b.tip))
  let at = 0
  let gas = paid[0]!.gasUsed
  return percentiles.map(percentile => {
    const threshold = Math.floor((header.gasUsed * percentile) / 100)
    while (gas < threshold && at < paid.length - 1) gas += paid[++at]!.gasUsed
    return toQuantity(paid[at]!.tip)
  })
}

/** Base fee of the block after this one (EIP-1559). */
export function nextBaseFee({ gasLimit, gasUsed, baseFeePerGas }: BlockHeader): Wei {
  const target = BigInt(Math.floor(gasLimit / 2))
  const used = BigInt(gasUsed)
  if (used === target) return baseFeePerGas
  const distance = used > target ? used - target : target - used
  const change = (baseFeePerGas * distance) / target / 8n
  if (used < target) return baseFeePerGas - change
  return baseFeePerGas + (change > 0n ? change : 1n)
}

const readCount: ArgumentReader<number> = value => {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  if (typeof value === 'string' && (/^\d{1,15}$/.test(value) || quantityProblem(value, 48) === null))
    return Number(value)
  throw new ArgumentTypeError('number', 'math.HexOrDecimal64')
}

const readPercentiles: ArgumentReader<number[]> = value => {
  if (!Array.isArray(value)) throw new ArgumentTypeError(jsonKind(value), '[]float64')
  return value.map(item => {
    if (typeof item !== 'number') throw new ArgumentError(new ArgumentTypeError(jsonKind(item), 'float64').message)
    return item
  })
}

function checkPercentiles(percentiles: readonly number[]): void {
  if (percentiles.length > maxPercentiles)
    throw serverError(`invalid reward percentile: over the query limit ${maxPercentiles}`)
  percentiles.forEach((percentile, index) => {
    if (percentile < 0 || percentile > 100) throw serverError(`invalid reward percentile: ${percentile.toFixed(6)}`)
    const before = percentiles[index - 1] ?? 0
    if (percentile <= before && index > 0)
      throw serverError(
        `invalid reward percentile: #${index - 1}:${before.toFixed(6)} >= #${index}:${percentile.toFixed(6)}`,
      )
  })
}
