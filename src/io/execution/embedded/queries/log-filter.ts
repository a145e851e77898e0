import type { Address, BlockHash, Hash32 } from '../../../../base/primitives/hashes.js'
import { type BlockSelector, readBlockNumber } from './block-selector.js'
import { readAddress, readHash } from './hex-arguments.js'
import { bloomBits, bloomMayHold } from './log-bloom.js'
import { ArgumentError, ArgumentFields, type ArgumentReader } from './rpc-argument.js'

/** What eth_getLogs, eth_newFilter and the logs subscription filter by. */
export interface LogFilter {
  readonly blockHash?: BlockHash
  readonly fromBlock?: BlockSelector
  readonly toBlock?: BlockSelector
  /** Any of these; empty means every address. */
  readonly addresses: ReadonlySet<Address>
  /** By position: any of these; empty means every topic. */
  readonly topics: readonly ReadonlySet<Hash32>[]
}

/** Lets every log through. */
export const everyLog: LogFilter = { addresses: new Set(), topics: [] }

/** How many addresses and topics the filter names. */
export function termsOf({ addresses, topics }: LogFilter): number {
  return topics.reduce((sum, { size }) => sum + size, addresses.size)
}

/** Most addresses, or topics of one position, in a filter (as geth). */
export const maxFilterAlternatives = 1000
const maxTopics = 4

/** Reads a filter object. */
export const readLogFilter: ArgumentReader<LogFilter> = value => {
  const fields = ArgumentFields.of(value, 'filters.input')
  const blockHash = fields.optional('blockHash', readHash)
  const fromBlock = fields.optional('fromBlock', readBlockNumber)
  const toBlock = fields.optional('toBlock', readBlockNumber)
  if (blockHash && (fromBlock || toBlock))
    throw new ArgumentError('cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other')
  return {
    ...(blockHash ? { blockHash } : {}),
    ...(fromBlock ? { fromBlock } : {}),
    ...(toBlock ? { toBlock } : {}),
    addresses: new Set(readAddresses(fields.raw('address'))),
    topics: readTopics(fields.raw('topics')).map(topics => new Set(topics)),
  }
}

function readAddresses(value: unknown): Address[] {
  if (value === undefined) return []
  if (typeof value !== 'string' && !Array.isArray(value)) throw new ArgumentError('invalid addresses in query')
  return alternatives(value).map((item, index) => {
    if (typeof item !== 'string') throw new ArgumentError(`non-string address at index ${index}`)
    return described(`invalid address at index ${index}`, () => readAddress(item))
  })
}

function readTopics(value: unknown): Hash32[][] {
  if (value === undefined) return []
  if (!Array.isArray(value)) throw new ArgumentError('invalid topic(s)')
  if (value.length > maxTopics) throw new ArgumentError('exceed max topics')
  return value.map(position => {
    if (position === null) return []
    if (typeof position !== 'string' && !Array.isArray(position)) throw new ArgumentError('invalid topic(s)')
    const topics = alternatives(position)
    // A null among the alternatives makes the position match everything.
    if (topics.includes(null)) return []
    return topics.map(topic => described('invalid topic(s)', () => readHash(topic)))
  })
}

function alternatives(value: unknown): unknown[] {
  const list: unknown[] = Array.isArray(value) ? value : [value]
  if (list.length > maxFilterAlternatives) throw new ArgumentError('exceed max addresses or topics per search position')
  return list
}

function described<Value>(what: string, read: () => Value): Value {
  try {
    return read()
  } catch (error) {
    if (error instanceof ArgumentError) throw new ArgumentError(`${what}: ${error.message}`)
    throw error
  }
}

/** Whether a log passes the address and topics of the filter. */
export function matchesFilter(
  filter: LogFilter,
  log: { readonly address: string; readonly topics: readonly string[] },
): boolean {
  if (!admits(filter.addresses, log.address)) return false
  if (filter.topics.length > log.topics.length) return false
  return filter.topics.every((wanted, at) => admits(wanted, log.topics[at]!))
}

const admits = (wanted: ReadonlySet<string>, value: string): boolean => wanted.size === 0 || wanted.has(value)

/** A test of block blooms: false means that no log of the block passes the filter. */
export function bloomTest(filter: LogFilter): (bloom: Uint8Array) => boolean {
  const positions = [filter.addresses, ...filter.topics]
    .filter(values => values.size > 0)
    .map(values => Array.from(values, bloomBits))
  return bloom => positions.every(values => values.some(bits => bloomMayHold(bloom, bits)))
}
