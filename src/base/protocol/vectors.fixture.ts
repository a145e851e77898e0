import { readFileSync } from 'node:fs'
import type { Hex } from '../primitives/bytes.js'
import type { SigningDomain } from './signing-domain.js'

interface VectorDomain {
  readonly chainId: number
  readonly verifyingContract: Hex
}

/** A file of spec/vectors, which the contract tests read too. */
export function readVectors<Content>(name: string): Content {
  // From build/src/base/protocol, where the compiled tests run.
  const file = new URL(`../../../../spec/vectors/${name}.json`, import.meta.url)
  return JSON.parse(readFileSync(file, 'utf8')) as Content
}

/** The vectors' EIP-712 domain as this project names it. */
export const domainOf = ({ chainId, verifyingContract }: VectorDomain): SigningDomain => ({
  l1ChainId: chainId,
  rollup: verifyingContract,
})

/** A vector's file with a domain. */
export interface DomainVectors {
  readonly domain: VectorDomain
}
