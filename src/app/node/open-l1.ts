import { bytesToHex } from '../../base/primitives/bytes.js'
import type { Kzg } from '../../io/kzg/kzg.js'
import type { L1Reader } from '../../io/l1/l1-client.js'
import { createQuorumL1Reader } from '../../io/l1/quorum/quorum-l1-reader.js'
import {
  type ChainCheckedL1Reader,
  createChainCheckedL1Reader,
  WrongL1ChainError,
} from '../../io/l1/reader/chain-checked-reader.js'
import { createViemL1Reader } from '../../io/l1/reader/viem-l1-reader.js'
import { redactUrl } from '../../io/l1/rpc/redact-url.js'
import { createViemL1Submitter } from '../../io/l1/submitter/viem-l1-submitter.js'
import { pause } from '../../io/time/clock.js'
import { AppError } from '../app-error.js'
import type { NodeGround } from './assemble-node.js'
import type { Frame } from './frame.js'

/** Milliseconds that one of several L1 endpoints has for an answer. */
const quorumTimeoutMs = 5_000
/** How long a start waits for the endpoints to name their chain: a node starts without L1 too. */
const chainAnswerMs = 3_000

/**
 * One endpoint is believed; several are read by quorum, each failing fast since the others answer. None is believed before it
 * has named the chain of the network. @throws AppError WRONG_L1_CHAIN when every one names another
 */
export async function openReader(frame: Frame, kzg: Kzg): Promise<L1Reader> {
  const { config, clock, logger, metrics } = frame
  const { chainId, contracts } = config.network.l1
  const { rpcUrls, quorum } = config.l1
  const haste = rpcUrls.length === 1 ? {} : { requestTimeoutMs: quorumTimeoutMs, retries: 0 }
  const endpoints = rpcUrls.map(url => {
    const endpoint = { rpcUrl: url, ...haste }
    const reader = createViemL1Reader({ config: { ...endpoint, contracts }, ports: { kzg } })
    return { url, reader: createChainCheckedL1Reader({ chainId, endpoint, reader }) }
  })
  await requireChain(frame, endpoints)
  const [first, ...others] = endpoints
  if (first && others.length === 0) return first.reader
  return createQuorumL1Reader({
    config: { timeoutMs: quorumTimeoutMs, ...(quorum === undefined ? {} : { quorum }) },
    ports: { endpoints, clock, logger: logger.child('l1'), metrics },
  })
}

/** An endpoint that does not answer now is asked again before it is read. @throws AppError WRONG_L1_CHAIN */
async function requireChain(
  { clock, logger, stopping }: Frame,
  endpoints: readonly { readonly url: string; readonly reader: ChainCheckedL1Reader }[],
): Promise<void> {
  const foreign: { readonly endpoint: number; readonly url: string; readonly error: WrongL1ChainError }[] = []
  const answers = endpoints.map(({ url, reader }, endpoint) =>
    reader.checkChain().catch(error => {
      if (error instanceof WrongL1ChainError) foreign.push({ endpoint, url: redactUrl(url), error })
    }),
  )
  await Promise.race([Promise.all(answers), pause(clock, chainAnswerMs, stopping)])
  const [one] = foreign
  if (one && foreign.length === endpoints.length) {
    const { expected } = one.error
    const found = [...new Set(foreign.map(({ error }) => error.found))].join(', ')
    const message = `the network file says that L1 is chain ${expected}, and --l1-rpc leads to chain ${found}: give the L1 of the network, or the network file of that L1`
    throw new AppError('WRONG_L1_CHAIN', message, { expected, found })
  }
  for (const { error, ...which } of foreign)
    logger.warn('an L1 endpoint is of another chain: it is not believed', { ...which, ...error.data })
}

/** The account that posts batches, where one is configured. */
export function openSubmitter({ config, clock, logger }: Frame): NodeGround['submitter'] {
  const key = config.sequencer?.submitterKey
  if (!key) return null
  const { chainId, contracts } = config.network.l1
  return createViemL1Submitter({
    config: { ...config.l1, chainId, rollup: contracts.rollup, privateKey: bytesToHex(key) },
    ports: { clock, logger: logger.child('l1') },
  })
}
