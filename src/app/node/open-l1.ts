import { bytesToHex } from '../../base/primitives/bytes.js'
import type { Kzg } from '../../io/kzg/kzg.js'
import type { L1Reader } from '../../io/l1/l1-client.js'
import type { L1Endpoint } from '../../io/l1/l1-rpc.js'
import { createQuorumL1Reader } from '../../io/l1/quorum-l1-reader.js'
import { createViemL1Reader } from '../../io/l1/viem-l1-reader.js'
import { createViemL1Submitter } from '../../io/l1/viem-l1-submitter.js'
import type { NodeGround } from './assemble-node.js'
import type { Frame } from './frame.js'

/** Milliseconds that one of several L1 endpoints has for an answer. */
const quorumTimeoutMs = 5_000

/** One endpoint is believed; several are read by quorum, each failing fast since the others answer. */
export function openReader({ config, clock, logger, metrics }: Frame, kzg: Kzg): L1Reader {
  const { contracts } = config.network.l1
  const { rpcUrls, quorum } = config.l1
  const readerOf = (endpoint: L1Endpoint) => createViemL1Reader({ config: { ...endpoint, contracts }, ports: { kzg } })
  if (rpcUrls.length === 1) return readerOf({ rpcUrl: rpcUrls[0] })
  const endpoints = rpcUrls.map(url => ({
    url,
    reader: readerOf({ rpcUrl: url, requestTimeoutMs: quorumTimeoutMs, retries: 0 }),
  }))
  return createQuorumL1Reader({
    config: { timeoutMs: quorumTimeoutMs, ...(quorum === undefined ? {} : { quorum }) },
    ports: { endpoints, clock, logger: logger.child('l1'), metrics },
  })
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
