import type { SigningDomain } from '../../../src/base/protocol/signing-domain.js'
import * as real from '../../../src/base/protocol/vote.js'
import { rememberWith } from './remember.js'

export * from '../../../src/base/protocol/vote.js'

export const encodeVote = rememberWith(real.encodeVote)

/** Most digests that are remembered. */
const maxDigests = 1_024
const digests = new Map<string, Uint8Array>()

export function voteDigest(domain: SigningDomain, content: real.VoteContent): Uint8Array {
  const { height, round, step, blockHash } = content
  const key = `${domain.l1ChainId} ${domain.rollup} ${height} ${round} ${step} ${blockHash}`
  let digest = digests.get(key)
  if (!digest) {
    if (digests.size >= maxDigests) digests.clear()
    digest = real.voteDigest(domain, content)
    digests.set(key, digest)
  }
  return digest
}
