import { bytesToHex, type Hex, uintToBytes } from '../../../../base/primitives/bytes.js'
import type { Address } from '../../../../base/primitives/hashes.js'
import { trimWord } from '../state/slot-value.js'
import type { WorkingState } from '../state/working-state.js'
import type { BlockEnvironment } from './evm-environment.js'

/** One call of the system address to a contract. */
export interface SystemCall {
  readonly working: WorkingState
  readonly environment: Pick<BlockEnvironment, 'number' | 'timestamp'>
  readonly to: Address
  readonly data: Uint8Array
}

/** Does what the code would do and gives what it would return; null when the code itself has to run. */
type KnownCode = (call: SystemCall) => Uint8Array | null

/** Slots of the ring buffers of EIP-4788 and EIP-2935. */
const ringLength = 8_191
const nothing = new Uint8Array(0)

/** What the code of Ethereum's system contracts does in a call of the system address, by Keccak-256 of the code. */
const knownCodes: ReadonlyMap<Hex, KnownCode> = new Map([
  ['0xf57acd40259872606d76197ef052f3d35588dadf919ee1f0e3cb9b62d3f4b02c', keepContextRoot],
  ['0x6e49e66782037c0555897870e29fa5e552daf4719552131a0abce779daec0a5d', keepParentHash],
  ['0x0345a365d2f4c5975b9f1599abe0a2ee76b7a3a731bc68781bd04c84e4858f50', readIdleQueue],
  ['0x78c6cb5202685228bbcbfb992b1c4e116c7ec5ef11e25b8e92716cfc628ddd60', readIdleQueue],
])

/**
 * The short way of the calls that every block makes: where the code is one of Ethereum's and its effect is plain, the slots are
 * written without running it. Gives what the call returns; null when the code has to run.
 */
export function callKnownCode(call: SystemCall): Uint8Array | null {
  const { working, to } = call
  const account = working.account(to)
  return (account && knownCodes.get(bytesToHex(account.codeHash))?.(call)) ?? null
}

/** EIP-4788, `set()`. */
function keepContextRoot({ working, environment, to, data }: SystemCall): Uint8Array | null {
  if (data.length !== 32) return null
  const at = environment.timestamp % ringLength
  working.setSlot(to, slotKey(at), trimWord(uintToBytes(environment.timestamp, 32)))
  working.setSlot(to, slotKey(at + ringLength), trimWord(data))
  return nothing
}

/** EIP-2935, `set()`. */
function keepParentHash({ working, environment, to, data }: SystemCall): Uint8Array | null {
  if (data.length !== 32) return null
  working.setSlot(to, slotKey((environment.number - 1) % ringLength), trimWord(data))
  return nothing
}

/** Slots of a request queue: the excess, the requests of this block, and where the queue begins and ends (EIP-7002, EIP-7251). */
const queueSlots = [0, 1, 2, 3]

/** The end of a block for a queue without requests and without excess: nothing is read, nothing changes. */
function readIdleQueue({ working, to }: SystemCall): Uint8Array | null {
  return queueSlots.every(at => working.slot(to, slotKey(at)).length === 0) ? nothing : null
}

const slotKey = (at: number): Hex => bytesToHex(uintToBytes(at, 32))
