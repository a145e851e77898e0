import { pbkdf2Sync } from 'node:crypto'
import { HDKey } from 'viem/accounts'
import { BlsSecretKey } from '../../base/crypto/bls.js'
import { keccak256 } from '../../base/crypto/keccak.js'
import { addressOfPrivateKey } from '../../base/crypto/secp256k1.js'
import { asciiToBytes, bytesToHex, concatBytes, type Hex } from '../../base/primitives/bytes.js'
import type { Address } from '../../base/primitives/hashes.js'
import { invariant } from '../../base/primitives/invariant.js'
import type { Wei } from '../../base/primitives/quantities.js'

/** The mnemonic of anvil, hardhat and every other test chain: its keys are public, never send anything of value there. */
export const devnetMnemonic = 'test test test test test test test test test test test junk'

const oneEther = 10n ** 18n
/** What each user account has on L1 and on L2. */
export const devnetUserBalance: Wei = 10_000n * oneEther
/** What each operator, submitter, relayer and the deployer has on L1. */
export const devnetServiceBalance: Wei = 1_000n * oneEther

/** A secp256k1 account with its key. */
export interface DevnetAccount {
  readonly address: Address
  /** 32 bytes. */
  readonly privateKey: Hex
}

/** The keys of one sequencer of a devnet. */
export interface DevnetSequencerAccounts {
  readonly operator: DevnetAccount
  readonly submitter: DevnetAccount
  readonly relayer: DevnetAccount
  readonly consensusKey: BlsSecretKey
}

const seed = pbkdf2Sync(devnetMnemonic, 'mnemonic', 2048, 64, 'sha512')
const root = HDKey.fromMasterSeed(seed).derive("m/44'/60'/0'/0")
/** Where the accounts of each role begin among the keys m/44'/60'/0'/0/i. */
const firstOf = { user: 0, deployer: 10, operator: 1_000, submitter: 2_000, relayer: 3_000 }
const userCount = 10

/** The ten accounts for users: those that anvil shows. */
export function devnetUsers(): DevnetAccount[] {
  return Array.from({ length: userCount }, (_, i) => account(firstOf.user + i))
}

/** The account that deploys the contracts. */
export function devnetDeployer(): DevnetAccount {
  return account(firstOf.deployer)
}

/** The keys of sequencer number `index`, from 0; the same on every machine. */
export function devnetSequencer(index: number): DevnetSequencerAccounts {
  return {
    operator: account(firstOf.operator + index),
    submitter: account(firstOf.submitter + index),
    relayer: account(firstOf.relayer + index),
    consensusKey: BlsSecretKey.fromSeed(
      keccak256(concatBytes(asciiToBytes('morphism devnet consensus key'), Uint8Array.of(index >> 8, index & 255))),
    ),
  }
}

/** ETH that the L2 genesis of a devnet gives away, which MessageQueue must hold on L1. */
export const devnetGenesisFunds: Wei = BigInt(userCount) * devnetUserBalance

function account(index: number): DevnetAccount {
  const key = root.deriveChild(index).privateKey
  invariant(key, 'a derived key has a private part', { index })
  return { privateKey: bytesToHex(key), address: addressOfPrivateKey(key) }
}
