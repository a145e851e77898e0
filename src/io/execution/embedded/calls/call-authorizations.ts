import { keccak256 } from '../../../../base/crypto/keccak.js'
import { hasLowS, recoverAddress } from '../../../../base/crypto/secp256k1.js'
import { encodeRlp } from '../../../../base/encoding/rlp.js'
import { rlpHex, rlpUint } from '../../../../base/encoding/rlp-fields.js'
import { concatBytes, hexToBytes, uintToBytes } from '../../../../base/primitives/bytes.js'
import { type Address, zeroAddress } from '../../../../base/primitives/hashes.js'
import type { Authorization } from '../../../../base/protocol/transaction.js'
import type { EvmMachine } from '../engine/evm-environment.js'
import type { CallRequest } from '../reading.js'
import { emptyAccount, hasCode, isDelegation } from '../state/account-record.js'
import type { WorkingState } from '../state/working-state.js'

const maxNonce = (1n << 64n) - 1n
const delegationPrefix = Uint8Array.of(0xef, 0x01, 0x00)
/** What an authority that exists already gets back of its authorization (EIP-7702). */
const existingAuthorityRefund = 12_500

/** Writes the delegations of a call as those of a transaction (EIP-7702); gives the gas to refund. */
export function applyAuthorizations({
  machine,
  working,
  request,
}: {
  readonly machine: EvmMachine
  readonly working: WorkingState
  readonly request: CallRequest
}): number {
  let refund = 0
  for (const authorization of (request.authorizationList ?? []) as readonly Authorization[]) {
    const authority = authorityOf(authorization, machine.vm.common.chainId())
    if (authority === null) continue
    machine.vm.evm.journal.addAlwaysWarmAddress(authority)
    const found = working.account(authority)
    const account = found ?? emptyAccount
    if (hasCode(account) && !isDelegation(working.code(authority))) continue
    if (account.nonce !== authorization.nonce) continue
    if (found !== null) refund += existingAuthorityRefund
    working.setAccount(authority, { ...account, nonce: account.nonce + 1n })
    const { address } = authorization
    const clears = address === zeroAddress
    working.setCode(authority, clears ? new Uint8Array(0) : concatBytes(delegationPrefix, hexToBytes(address)))
  }
  return refund
}

function authorityOf({ chainId, address, nonce, yParity, r, s }: Authorization, ownChainId: bigint): Address | null {
  if ((chainId !== 0n && chainId !== ownChainId) || nonce >= maxNonce || yParity > 1) return null
  const rs = concatBytes(uintToBytes(r, 32), uintToBytes(s, 32))
  if (!hasLowS(rs)) return null
  const message = encodeRlp([rlpUint(chainId), rlpHex(address), rlpUint(nonce)])
  return recoverAddress(keccak256(concatBytes(Uint8Array.of(5), message)), { rs, recovery: yParity === 1 ? 1 : 0 })
}
