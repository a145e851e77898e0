import { keccak256Hex } from '../../../base/crypto/keccak.js'
import { encodeRlp, type RlpItem } from '../../../base/encoding/rlp.js'
import { rlpHex, rlpUint } from '../../../base/encoding/rlp-fields.js'
import { type Hash32, zeroHash } from '../../../base/primitives/hashes.js'
import { encodeBatchHeader } from '../../../base/protocol/batch-header.js'
import { encodeL1Message } from '../../../base/protocol/l1-message.js'
import { encodeSequencerSet, type SequencerSet } from '../../../base/protocol/sequencer-set.js'
import type { CommittedBatch, L1Block, L1Event } from '../l1-client.js'

/** Names an answer by its content: two endpoints say the same when these are equal. "There is none" is the zero hash. */
type Digest<Answer> = (answer: Answer) => Hash32

const ofItem = (item: RlpItem): Hash32 => keccak256Hex(encodeRlp(item))
const orNone =
  <Answer>(item: (answer: Answer) => RlpItem): Digest<Answer | null> =>
  answer =>
    answer === null ? zeroHash : ofItem(item(answer))

export const blockDigest: Digest<L1Block | null> = orNone(({ number, hash, parentHash, timestamp }) => [
  rlpUint(number),
  rlpHex(hash),
  rlpHex(parentHash),
  rlpUint(timestamp),
])

/** Events of a range, and the hash of its last block: the same events on another fork are another answer. */
export const eventsDigest: Digest<{ lastHash: Hash32; events: L1Event[] } | null> = orNone(({ lastHash, events }) => [
  rlpHex(lastHash),
  events.map(eventItem),
])

export const committedBatchDigest: Digest<CommittedBatch | null> = orNone(
  ({ header, absent, signature, blobVersionedHashes }) => [
    encodeBatchHeader(header),
    rlpUint(absent),
    signature,
    blobVersionedHashes.map(rlpHex),
  ],
)

export const sequencerSetDigest: Digest<SequencerSet | null> = orNone(encodeSequencerSet)

export const numberDigest: Digest<number | null> = orNone(rlpUint)

function eventItem(event: L1Event): RlpItem {
  switch (event.type) {
    case 'message':
      return [rlpUint(1), encodeL1Message(event.message), rlpHex(event.rollingHash)]
    case 'batch-committed':
      return [
        rlpUint(2),
        rlpUint(event.batchIndex),
        rlpHex(event.batchHash),
        rlpUint(event.setId),
        rlpUint(event.absent),
        rlpHex(event.transactionHash),
        rlpUint(event.l1BlockNumber),
      ]
    case 'batch-finalized':
      return [rlpUint(3), rlpUint(event.batchIndex), rlpHex(event.batchHash), rlpUint(event.l1BlockNumber)]
  }
}
