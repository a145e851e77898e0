import { keccak256, keccak256Hex } from '../crypto/keccak.js'
import { encodeRlp } from '../encoding/rlp.js'
import { RlpFields, rlpHex, rlpUint } from '../encoding/rlp-fields.js'
import { bytesToHex, concatBytes, hexToBytes } from '../primitives/bytes.js'
import type { Address, Hash32 } from '../primitives/hashes.js'
import type { L1BlockNumber, Wei } from '../primitives/quantities.js'
import { uintWord } from './signing-domain.js'

/** Kind of an L1 message as MessageQueue.sol numbers it: 0 ETH deposit. */
export type L1MessageKind = number
/** ETH for an L2 account, whole gwei. */
export const ethDeposit: L1MessageKind = 0

/** One entry of the L1 message queue. */
export interface L1Message {
  readonly kind: L1MessageKind
  /** Position in the queue, from 0. */
  readonly index: number
  readonly sender: Address
  readonly to: Address
  readonly amount: Wei
  readonly data: Uint8Array
  /** L1 block that holds it. */
  readonly l1BlockNumber: L1BlockNumber
}

/** keccak256(abi.encode(kind, index, sender, to, amount, data)), as MessageQueue.sol hashes it. */
export function messageHash({ kind, index, sender, to, amount, data }: Omit<L1Message, 'l1BlockNumber'>): Hash32 {
  const address = (value: Address) => concatBytes(new Uint8Array(12), hexToBytes(value))
  const padding = new Uint8Array((32 - (data.length % 32)) % 32)
  return keccak256Hex(
    concatBytes(
      uintWord(kind),
      uintWord(index),
      address(sender),
      address(to),
      uintWord(amount),
      uintWord(6 * 32),
      uintWord(data.length),
      data,
      padding,
    ),
  )
}

/** h(n+1) = keccak256(h(n) ‖ message hash); h(0) is zero. */
export function nextRollingHash(previous: Hash32, message: Omit<L1Message, 'l1BlockNumber'>): Hash32 {
  return bytesToHex(keccak256(concatBytes(hexToBytes(previous), hexToBytes(messageHash(message)))))
}

export function encodeL1Message(message: L1Message): Uint8Array {
  return encodeRlp([
    rlpUint(message.kind),
    rlpUint(message.index),
    rlpHex(message.sender),
    rlpHex(message.to),
    rlpUint(message.amount),
    message.data,
    rlpUint(message.l1BlockNumber),
  ])
}

/** @throws DecodeError */
export function decodeL1Message(bytes: Uint8Array): L1Message {
  const fields = RlpFields.decode(bytes, 'L1 message')
  const message: L1Message = {
    kind: Number(fields.uint(8)),
    index: fields.safeUint(),
    sender: fields.address(),
    to: fields.address(),
    amount: fields.uint(256),
    data: fields.bytes(),
    l1BlockNumber: fields.safeUint(),
  }
  fields.end()
  return message
}
