import { describe, expect, it } from 'vitest'
import {
  type AdmissionFacts,
  type AdmissionLimits,
  checkSender,
  checkSize,
  checkTransaction,
  floorDataGas,
  intrinsicGas,
  isPermanent,
  maxInitCodeBytes,
  mayReplace,
} from './admission.js'

const transfer: AdmissionFacts = {
  sender: `0x${'11'.repeat(20)}` as const,
  type: 2,
  chainId: 7n,
  nonce: 4,
  gasLimit: 21_000,
  maxFeePerGas: 100n,
  maxPriorityFeePerGas: 10n,
  cost: 2_100_005n,
  to: `0x${'22'.repeat(20)}` as const,
  dataLength: 0,
  zeroDataBytes: 0,
  accessListAddresses: 0,
  accessListKeys: 0,
  authorizations: 0,
}
const limits: AdmissionLimits = {
  chainId: 7n,
  blockGasLimit: 30_000_000,
  maxTransactionGas: 16_777_216,
  minTip: 1n,
  minFee: 7n,
  requireReplayProtection: true,
}
const state = { nonce: 4, balance: 10_000_000n, hasCode: false, pendingCost: 0n, replacedCost: null }

const message = (changes: Partial<AdmissionFacts>, changedLimits: Partial<AdmissionLimits> = {}) =>
  checkTransaction({ ...transfer, ...changes }, { ...limits, ...changedLimits })?.message ?? null
const stateMessage = (changes: Partial<AdmissionFacts>, changed: Partial<Parameters<typeof checkSender>[1]>) =>
  checkSender({ ...transfer, ...changes }, { ...state, ...changed })?.message ?? null

describe('intrinsic gas', () => {
  it('prices data, creation, access list and authorizations', () => {
    expect(intrinsicGas(transfer)).toBe(21_000)
    expect(intrinsicGas({ ...transfer, dataLength: 10, zeroDataBytes: 4 })).toBe(21_000 + 4 * 4 + 6 * 16)
    expect(intrinsicGas({ ...transfer, to: null, dataLength: 33, zeroDataBytes: 33 })).toBe(53_000 + 33 * 4 + 2 * 2)
    expect(intrinsicGas({ ...transfer, accessListAddresses: 2, accessListKeys: 3 })).toBe(21_000 + 4_800 + 5_700)
    expect(intrinsicGas({ ...transfer, authorizations: 2 })).toBe(21_000 + 50_000)
  })

  it('has the floor of EIP-7623', () => {
    expect(floorDataGas({ dataLength: 0, zeroDataBytes: 0 })).toBe(21_000)
    expect(floorDataGas({ dataLength: 10, zeroDataBytes: 4 })).toBe(21_000 + (4 + 6 * 4) * 10)
  })
})

describe('rules without state', () => {
  it('lets a plain transfer in', () => {
    expect(message({})).toBeNull()
  })

  it.each<[string, Partial<AdmissionFacts>, string]>([
    ['another chain', { chainId: 8n }, 'invalid sender: invalid chain id for signer: have 8 want 7'],
    ['no chain', { chainId: null }, 'only replay-protected (EIP-155) transactions allowed over RPC'],
    [
      'init code',
      { to: null, dataLength: maxInitCodeBytes + 1 },
      'max initcode size exceeded: code size 49153, limit 49152',
    ],
    ['gas above the cap', { gasLimit: 16_777_217 }, 'transaction gas limit too high (cap: 16777216, tx: 16777217)'],
    [
      'tip above fee',
      { maxPriorityFeePerGas: 101n },
      'max priority fee per gas higher than max fee per gas: maxPriorityFeePerGas: 101, maxFeePerGas: 100',
    ],
    ['too little gas', { gasLimit: 20_999 }, 'intrinsic gas too low: gas 20999, minimum needed 21000'],
    [
      'less than the floor',
      { dataLength: 100, gasLimit: 23_000 },
      'insufficient gas for floor data gas cost: gas 23000, minimum needed 25000',
    ],
    ['a small tip', { maxPriorityFeePerGas: 0n }, 'transaction underpriced: gas tip cap 0, minimum needed 1'],
  ])('refuses %s', (_what, changes, expected) => {
    expect(message(changes)).toBe(expected)
  })

  it('refuses more gas than a block has', () => {
    expect(message({ gasLimit: 30_000_001 }, { maxTransactionGas: null })).toBe('exceeds block gas limit')
    expect(message({ gasLimit: 30_000_000 }, { maxTransactionGas: null })).toBeNull()
  })

  it('takes unprotected transactions where they are allowed', () => {
    expect(message({ chainId: null }, { requireReplayProtection: false })).toBeNull()
  })

  it('bounds the size', () => {
    expect(checkSize(131_072)).toBeNull()
    expect(checkSize(131_073)?.message).toBe('oversized data: transaction size 131073, limit 131072')
  })
})

describe('rules of the sender', () => {
  it('lets the next nonce and later ones in', () => {
    expect(stateMessage({}, {})).toBeNull()
    expect(stateMessage({ nonce: 9 }, {})).toBeNull()
  })

  it('refuses a used nonce, a contract and a poor sender', () => {
    expect(stateMessage({}, { nonce: 5 })).toBe('nonce too low: next nonce 5, tx nonce 4')
    expect(stateMessage({}, { hasCode: true })).toBe(`sender not an eoa: address ${transfer.sender}`)
    expect(stateMessage({}, { balance: 2_100_000n })).toBe(
      'insufficient funds for gas * price + value: balance 2100000, tx cost 2100005, overshot 5',
    )
  })

  it('counts what is pending already, less what is replaced', () => {
    expect(stateMessage({}, { pendingCost: 7_899_995n })).toBeNull()
    expect(stateMessage({}, { pendingCost: 7_899_996n })).toBe(
      'insufficient funds for gas * price + value: balance 10000000, queued cost 7899996, tx cost 2100005, overshot 1',
    )
    expect(stateMessage({}, { pendingCost: 9_000_000n, replacedCost: 1_100_005n })).toBeNull()
    expect(stateMessage({}, { pendingCost: 9_000_001n, replacedCost: 1_100_005n })).toBe(
      'insufficient funds for gas * price + value: balance 10000000, queued cost 9000001, tx bumped 1000000, overshot 1',
    )
  })
})

describe('replacement', () => {
  const old = { maxFeePerGas: 100n, maxPriorityFeePerGas: 10n }
  it('wants a tenth more of both fees', () => {
    expect(mayReplace({ maxFeePerGas: 110n, maxPriorityFeePerGas: 11n }, old)).toBe(true)
    expect(mayReplace({ maxFeePerGas: 109n, maxPriorityFeePerGas: 11n }, old)).toBe(false)
    expect(mayReplace({ maxFeePerGas: 200n, maxPriorityFeePerGas: 10n }, old)).toBe(false)
    expect(
      mayReplace({ maxFeePerGas: 0n, maxPriorityFeePerGas: 0n }, { maxFeePerGas: 0n, maxPriorityFeePerGas: 0n }),
    ).toBe(false)
  })
})

describe('blame', () => {
  it('is for what no state or setting can excuse', () => {
    expect(isPermanent('wrong-chain-id')).toBe(true)
    expect(isPermanent('nonce-too-low')).toBe(false)
    expect(isPermanent('underpriced')).toBe(false)
  })
})
