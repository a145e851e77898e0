import type { Address } from '../../base/primitives/hashes.js'
import type { Wei } from '../../base/primitives/quantities.js'
import { leastTransactionGas, maxTransactionBytes, type TransactionType } from '../../base/protocol/transaction.js'

/** What admission asks of a signed transaction. */
export interface AdmissionFacts {
  readonly sender: Address
  readonly type: TransactionType
  /** Null for a legacy transaction without replay protection (EIP-155). */
  readonly chainId: bigint | null
  readonly nonce: number
  readonly gasLimit: number
  readonly maxFeePerGas: Wei
  readonly maxPriorityFeePerGas: Wei
  /** gasLimit × maxFeePerGas + value. */
  readonly cost: Wei
  /** Null creates a contract. */
  readonly to: Address | null
  readonly dataLength: number
  readonly zeroDataBytes: number
  readonly accessListAddresses: number
  readonly accessListKeys: number
  readonly authorizations: number
}

/** What this chain and this node ask of every transaction. */
export interface AdmissionLimits {
  readonly chainId: bigint
  readonly blockGasLimit: number
  /** Cap of EIP-7825 (16,777,216) where the hardfork has it, else null. */
  readonly maxTransactionGas: number | null
  /** Least priority fee that this node takes. */
  readonly minTip: Wei
  /** Least fee cap that this node takes: below what the base fee can fall to, a transaction waits for ever. */
  readonly minFee: Wei
  /** Whether legacy transactions without EIP-155 are refused, as geth does over RPC. */
  readonly requireReplayProtection: boolean
}

/** The sender at the head, and what its pending transactions already promise to spend. */
export interface SenderState {
  readonly nonce: number
  readonly balance: Wei
  readonly hasCode: boolean
  /** Sum of the costs of the sender's pending transactions. */
  readonly pendingCost: Wei
  /** Cost of the transaction that this one would replace, or null. */
  readonly replacedCost: Wei | null
}

/** Why a transaction may not enter the pool; `isPermanent` tells which of them no honest node forwards. */
export type AdmissionReason =
  | 'unprotected'
  | 'wrong-chain-id'
  | 'oversized'
  | 'init-code-too-large'
  | 'gas-above-cap'
  | 'gas-above-block'
  | 'tip-above-fee-cap'
  | 'intrinsic-gas'
  | 'floor-gas'
  | 'underpriced'
  | 'nonce-too-low'
  | 'sender-has-code'
  | 'insufficient-funds'

/** A named reason and the sentence that a JSON-RPC client sees, worded as geth 1.17 does. */
export interface AdmissionRefusal {
  readonly reason: AdmissionReason
  readonly message: string
}

const createGas = 32_000
const zeroByteGas = 4
const nonZeroByteGas = 16
/** Per 32-byte word of init code (EIP-3860). */
const initCodeWordGas = 2
/** EIP-2930. */
const accessListAddressGas = 2_400
const accessListKeyGas = 1_900
/** PER_EMPTY_ACCOUNT_COST of EIP-7702. */
const authorizationGas = 25_000
/** TOTAL_COST_FLOOR_PER_TOKEN and the tokens of a non-zero byte (EIP-7623). */
const floorTokenGas = 10
const nonZeroByteTokens = 4
/** Most bytes of init code (EIP-3860). */
export const maxInitCodeBytes = 49_152

type DataFacts = Pick<AdmissionFacts, 'dataLength' | 'zeroDataBytes'>
type GasFacts = DataFacts & Pick<AdmissionFacts, 'to' | 'accessListAddresses' | 'accessListKeys' | 'authorizations'>

/** Gas that a transaction uses before its first opcode (yellow paper; EIP-2028, 2930, 3860, 7702). */
export function intrinsicGas(facts: GasFacts): number {
  const { dataLength, zeroDataBytes } = facts
  let gas = leastTransactionGas + zeroDataBytes * zeroByteGas + (dataLength - zeroDataBytes) * nonZeroByteGas
  if (facts.to === null) gas += createGas + Math.ceil(dataLength / 32) * initCodeWordGas
  gas += facts.accessListAddresses * accessListAddressGas + facts.accessListKeys * accessListKeyGas
  return gas + facts.authorizations * authorizationGas
}

/** Least gas that calldata costs whatever else runs (EIP-7623). */
export function floorDataGas({ dataLength, zeroDataBytes }: DataFacts): number {
  const tokens = zeroDataBytes + (dataLength - zeroDataBytes) * nonZeroByteTokens
  return leastTransactionGas + tokens * floorTokenGas
}

/** Refuses an encoded transaction above 128 KiB, before anything else is done with it. */
export function checkSize(bytes: number): AdmissionRefusal | null {
  if (bytes <= maxTransactionBytes) return null
  return refusal('oversized', `oversized data: transaction size ${bytes}, limit ${maxTransactionBytes}`)
}

/** The rules that need no state; null when all hold. */
export function checkTransaction(facts: AdmissionFacts, limits: AdmissionLimits): AdmissionRefusal | null {
  const { chainId, gasLimit } = facts
  if (chainId === null) {
    if (limits.requireReplayProtection)
      return refusal('unprotected', 'only replay-protected (EIP-155) transactions allowed over RPC')
  } else if (chainId !== limits.chainId) {
    const detail = `invalid chain id for signer: have ${chainId} want ${limits.chainId}`
    return refusal('wrong-chain-id', `invalid sender: ${detail}`)
  }
  if (facts.to === null && facts.dataLength > maxInitCodeBytes) {
    const detail = `code size ${facts.dataLength}, limit ${maxInitCodeBytes}`
    return refusal('init-code-too-large', `max initcode size exceeded: ${detail}`)
  }
  return checkGas(facts, limits) ?? checkFees(facts, limits) ?? checkLeastGas(facts, gasLimit)
}

function checkGas({ gasLimit }: AdmissionFacts, limits: AdmissionLimits): AdmissionRefusal | null {
  const cap = limits.maxTransactionGas
  if (cap !== null && gasLimit > cap)
    return refusal('gas-above-cap', `transaction gas limit too high (cap: ${cap}, tx: ${gasLimit})`)
  if (gasLimit > limits.blockGasLimit) return refusal('gas-above-block', 'exceeds block gas limit')
  return null
}

function checkFees(facts: AdmissionFacts, limits: AdmissionLimits): AdmissionRefusal | null {
  const { maxFeePerGas, maxPriorityFeePerGas: tip } = facts
  if (tip > maxFeePerGas) {
    const detail = `maxPriorityFeePerGas: ${tip}, maxFeePerGas: ${maxFeePerGas}`
    return refusal('tip-above-fee-cap', `max priority fee per gas higher than max fee per gas: ${detail}`)
  }
  if (tip < limits.minTip)
    return refusal('underpriced', `transaction underpriced: gas tip cap ${tip}, minimum needed ${limits.minTip}`)
  if (maxFeePerGas >= limits.minFee) return null
  return refusal('underpriced', `transaction underpriced: gas fee cap ${maxFeePerGas}, minimum needed ${limits.minFee}`)
}

function checkLeastGas(facts: GasFacts, gasLimit: number): AdmissionRefusal | null {
  const intrinsic = intrinsicGas(facts)
  if (gasLimit < intrinsic)
    return refusal('intrinsic-gas', `intrinsic gas too low: gas ${gasLimit}, minimum needed ${intrinsic}`)
  const floor = floorDataGas(facts)
  if (gasLimit >= floor) return null
  return refusal('floor-gas', `insufficient gas for floor data gas cost: gas ${gasLimit}, minimum needed ${floor}`)
}

/** The rules that need the sender's state at the head; null when all hold. */
export function checkSender(facts: AdmissionFacts, state: SenderState): AdmissionRefusal | null {
  if (facts.nonce < state.nonce)
    return refusal('nonce-too-low', `nonce too low: next nonce ${state.nonce}, tx nonce ${facts.nonce}`)
  // EIP-3607: a key that collides with a contract's address must not spend for it.
  if (state.hasCode) return refusal('sender-has-code', `sender not an eoa: address ${facts.sender}`)
  const { balance, pendingCost, replacedCost } = state
  const { cost } = facts
  if (balance < cost) return insufficientFunds(`balance ${balance}, tx cost ${cost}, overshot ${cost - balance}`)
  const added = replacedCost === null ? cost : cost - replacedCost
  const overshot = pendingCost + added - balance
  if (overshot <= 0n) return null
  const what = replacedCost === null ? `tx cost ${cost}` : `tx bumped ${added}`
  return insufficientFunds(`balance ${balance}, queued cost ${pendingCost}, ${what}, overshot ${overshot}`)
}

const insufficientFunds = (detail: string): AdmissionRefusal =>
  refusal('insufficient-funds', `insufficient funds for gas * price + value: ${detail}`)

/** Whether a new fee replaces an old one: more, and by at least a tenth. */
const outbids = (fee: Wei, old: Wei): boolean => fee > old && fee * 10n >= old * 11n

type Fees = Pick<AdmissionFacts, 'maxFeePerGas' | 'maxPriorityFeePerGas'>

/** Whether a transaction may take the place of another of the same sender and nonce: both fees at least 10 % higher. */
export function mayReplace(fees: Fees, old: Fees): boolean {
  return outbids(fees.maxFeePerGas, old.maxFeePerGas) && outbids(fees.maxPriorityFeePerGas, old.maxPriorityFeePerGas)
}

const permanentReasons: ReadonlySet<AdmissionReason> = new Set([
  'wrong-chain-id',
  'oversized',
  'init-code-too-large',
  'gas-above-cap',
  'tip-above-fee-cap',
  'intrinsic-gas',
  'floor-gas',
])

/** Whether no honest node of this chain can have taken the transaction: a peer that sends it misbehaves. */
export const isPermanent = (reason: AdmissionReason): boolean => permanentReasons.has(reason)

function refusal(reason: AdmissionReason, message: string): AdmissionRefusal {
  return { reason, message }
}
