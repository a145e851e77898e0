import type { BlockHash } from '../../../../base/primitives/hashes.js'
import type { Height } from '../../../../base/primitives/quantities.js'
import type { BlockHeader } from '../../../../base/protocol/block-header.js'
import type { ChainReader } from '../reading.js'
import { quantityProblem, readHash } from './hex-arguments.js'
import { ArgumentError, ArgumentFields, type ArgumentReader, readString, serverError } from './rpc-argument.js'

/** Names of blocks that move with the chain. */
export type BlockTag = 'earliest' | 'latest' | 'safe' | 'finalized' | 'pending'

/** A block as a caller names it: by tag, number or hash. */
export type BlockSelector =
  | { readonly by: 'tag'; readonly tag: BlockTag }
  | { readonly by: 'number'; readonly number: Height }
  | { readonly by: 'hash'; readonly hash: BlockHash }

const tags: readonly string[] = ['earliest', 'latest', 'safe', 'finalized', 'pending'] satisfies BlockTag[]

/** The newest block. */
export const latestBlock: BlockSelector = { by: 'tag', tag: 'latest' }

/** Reads a tag or number (not a hash). */
export const readBlockNumber: ArgumentReader<BlockSelector> = value => {
  const text = typeof value === 'number' ? String(value) : readString(value)
  if (tags.includes(text)) return { by: 'tag', tag: text as BlockTag }
  const problem = quantityProblem(text, 64)
  if (problem) throw new ArgumentError(problem)
  const number = Number(text)
  if (number > Number.MAX_SAFE_INTEGER) throw new ArgumentError('block number larger than int64')
  return { by: 'number', number }
}

/** Reads a tag, a number, a hash, or an object of EIP-1898. */
export const readBlockNumberOrHash: ArgumentReader<BlockSelector> = value => {
  if (typeof value === 'string')
    return value.length === 66 ? { by: 'hash', hash: readHash(value) } : readBlockNumber(value)
  const fields = ArgumentFields.of(value, 'string')
  const number = fields.optional('blockNumber', readBlockNumber)
  const hash = fields.optional('blockHash', readHash)
  if (number && hash) throw new ArgumentError('cannot specify both BlockHash and BlockNumber, choose one or the other')
  if (hash) return { by: 'hash', hash }
  if (number) return number
  throw new ArgumentError('invalid arguments; neither block nor hash specified')
}

/** The height that is meant, known here or not; null for an unknown hash. Pending is the head: blocks are decided whole. */
export function resolveHeight(chain: ChainReader, selector: BlockSelector): Height | null {
  if (selector.by === 'number') return selector.number
  if (selector.by === 'hash') return chain.heightOf(selector.hash)
  const { head, safe, finalized } = chain.heads()
  switch (selector.tag) {
    case 'earliest':
      return 0
    case 'safe':
      return safe
    case 'finalized':
      return finalized
    case 'latest':
    case 'pending':
      return head.number
  }
}

/** The header whose state a query reads. @throws ExecutionRpcError -32000 'header not found' */
export function requireHeader(chain: ChainReader, selector: BlockSelector): BlockHeader {
  const height = resolveHeight(chain, selector)
  if (height === null) throw serverError('header for hash not found')
  const head = chain.heads().head
  const header = height === head.number ? head : chain.headerAt(height)
  if (!header) throw serverError('header not found')
  return header
}
