import type { NodeTerms } from '../../src/app/node/assemble-node.js'
import { l2GenesisBatch } from '../../src/app/node/l2-genesis.js'
import { BlsSecretKey, parseBlsPublicKey } from '../../src/base/crypto/bls.js'
import { keccak256 } from '../../src/base/crypto/keccak.js'
import { addressOfPrivateKey } from '../../src/base/crypto/secp256k1.js'
import { asciiToBytes, bytesToHex, type Hex, uintToBytes } from '../../src/base/primitives/bytes.js'
import type { Address } from '../../src/base/primitives/hashes.js'
import { devnetParameters, type ProtocolParameters } from '../../src/base/protocol/protocol-parameters.js'
import { makeSequencerSet } from '../../src/base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../src/base/protocol/signing-domain.js'
import type { Genesis } from '../../src/io/execution/genesis.js'
import { MemoryL1 } from '../../src/io/l1/memory-l1.js'
import {
  createProtocolSchedule,
  type ProtocolSchedule,
  type ProtocolUpgrade,
} from '../../src/rules/upgrades/protocol-schedule.js'
import { SeededRandom } from '../model/seeded-random.js'
import { userKeys } from './workload.js'

/** Where the virtual time of every run begins. */
export const startMs = 1_700_000_000_000
/** Virtual time between two L1 blocks. */
export const l1BlockMs = 2_000
/** L1 blocks above an origin: a reorg of so many does not reach it. */
export const l1Confirmations = 3

const parameters: ProtocolParameters = {
  ...devnetParameters,
  emptyBlockIntervalMs: 1_000,
  l1Confirmations,
  maxL1LagSec: 20,
  batchBlocks: 60,
  batchIntervalMs: 10_000,
  submitterTurnSec: 10,
  challengeWindowSec: 20,
  forcedInclusionWindowSec: 15,
}
const domain: SigningDomain = { l1ChainId: 31_337, rollup: `0x${'12'.repeat(20)}` as Hex }
const l2ChainId = 42_069

/** A number from words, for streams of randomness that do not disturb one another. */
export function randomOf(seed: string, stream: string): SeededRandom {
  return new SeededRandom(new DataView(keccak256(asciiToBytes(`${seed}/${stream}`)).buffer).getInt32(0))
}

/** What of a node is of before an upgrade. */
export type Outdated = 'file' | 'software'

/** What all nodes of one simulated network agree on, from its seed: keys, powers, genesis, and the L1 below it. */
export function foundNetwork({
  seed,
  size,
  upgrades = [],
  hasEqualPowers = false,
}: {
  seed: string
  size: number
  hasEqualPowers?: boolean
  upgrades?: readonly ProtocolUpgrade[]
}): {
  readonly keys: readonly BlsSecretKey[]
  readonly submitters: readonly Address[]
  readonly terms: NodeTerms
  readonly genesis: Genesis
  readonly l1: MemoryL1
  /** What a node has that was not upgraded: the network file of before, or the software of before with the file of today. */
  readonly outdated: Readonly<Record<Outdated, ProtocolSchedule>>
} {
  const random = randomOf(seed, 'network')
  const keys = Array.from({ length: size }, (_, i) =>
    BlsSecretKey.fromSeed(keccak256(asciiToBytes(`morphism simulation sequencer ${seed} ${i}`))),
  )
  const submitters = keys.map((_, i) => bytesToHex(uintToBytes(0xa000 + i, 20)))
  const isEqual = random.chance(0.5) || hasEqualPowers
  const set = makeSequencerSet(
    1,
    keys.map((key, i) => ({
      operator: submitters[i]!,
      submitter: submitters[i]!,
      feeRecipient: bytesToHex(uintToBytes(0xf000 + i, 20)),
      publicKey: parseBlsPublicKey(key.publicKey())!,
      power: isEqual ? 1n : BigInt(2 + random.below(5)),
    })),
  )
  const l1Genesis = { number: 0, hash: bytesToHex(keccak256(uintToBytes(0, 32))) }
  const genesis: Genesis = {
    chainId: l2ChainId,
    timestamp: startMs / 1_000,
    gasLimit: parameters.gasLimit,
    l1OriginNumber: l1Genesis.number,
    l1OriginHash: l1Genesis.hash,
    alloc: Object.fromEntries(userKeys(seed).map(key => [addressOfPrivateKey(key), { balance: 10n ** 21n }])),
  }
  const genesisBatch = l2GenesisBatch(genesis)
  const l1 = new MemoryL1({
    ...parameters,
    domain,
    sets: [set],
    genesis: genesisBatch,
    startSec: startMs / 1_000 - 8,
    blockSec: l1BlockMs / 1_000,
    finalityDepth: 8,
  })
  for (let block = 0; block < 4; block++) l1.mine()
  const terms: NodeTerms = {
    role: 'sequencer',
    protocol: createProtocolSchedule({ parameters, upgrades }),
    domain,
    l2ChainId,
    genesisBatch,
    l1StartBlock: 0,
    l1BlockTimeSec: l1BlockMs / 1_000,
    genesisSet: set,
  }
  const outdated = {
    file: createProtocolSchedule({ parameters }),
    software: createProtocolSchedule({ parameters, upgrades, latestKnown: 1 }),
  }
  return { keys, submitters, terms, genesis, l1, outdated }
}
