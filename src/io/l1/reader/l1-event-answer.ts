import { formatLog, parseEventLogs, type RpcLog, toEventSelector } from 'viem'
import { hexToBytes } from '../../../base/primitives/bytes.js'
import type { Address, Hash32 } from '../../../base/primitives/hashes.js'
import { messageQueueAbi, rollupAbi } from '../contract-abis.js'
import type { L1Event } from '../l1-client.js'
import { L1Error } from '../l1-error.js'
import { readHash, readQuantity } from './l1-answer.js'

const events = [...messageQueueAbi, ...rollupAbi].filter(item => item.type === 'event')

/** First topics of the events that are followed, for eth_getLogs. */
export const followedTopics: Hash32[] = events.map(event => toEventSelector(event))

/** More logs than one L1 block has gas for. */
const maxLogs = 20_000

/** The followed events in an answer to eth_getLogs, in L1 order. @throws L1Error L1_BAD_ANSWER */
export function readEvents(answer: unknown): L1Event[] {
  if (!Array.isArray(answer)) throw new L1Error('L1_BAD_ANSWER', 'L1 gave no list of logs')
  if (answer.length > maxLogs)
    throw new L1Error('L1_BAD_ANSWER', 'the answer of L1 is too long', { logs: answer.length, maxLogs })
  const logs = answer.map(log => formatLog(requireLog(log)))
  return parseEventLogs({ abi: events, logs, strict: true })
    .map(log => ({ log: log as FollowedLog, number: readQuantity(log.blockNumber) }))
    .sort((a, b) => a.number - b.number || a.log.logIndex - b.log.logIndex)
    .map(({ log, number }) => toEvent(log, number))
}

function requireLog(log: unknown): RpcLog {
  const topics = (log as { topics?: unknown } | null)?.topics
  if (!Array.isArray(topics)) throw new L1Error('L1_BAD_ANSWER', 'L1 gave something that is no log')
  return log as RpcLog
}

/** What viem gives for an event that is followed. */
type FollowedLog = { logIndex: number; transactionHash: Hash32 } & (
  | {
      eventName: 'MessageEnqueued'
      args: {
        index: bigint
        kind: number
        sender: string
        to: string
        amount: bigint
        data: `0x${string}`
        rollingHash: Hash32
      }
    }
  | { eventName: 'BatchCommitted'; args: { batchIndex: bigint; batchHash: Hash32; setId: bigint; absent: bigint } }
  | { eventName: 'BatchFinalized'; args: { batchIndex: bigint; batchHash: Hash32 } }
)

const lower = (address: string) => address.toLowerCase() as Address

function toEvent(log: FollowedLog, l1BlockNumber: number): L1Event {
  switch (log.eventName) {
    case 'MessageEnqueued': {
      const { index, kind, sender, to, amount, data, rollingHash } = log.args
      return {
        type: 'message',
        rollingHash,
        message: {
          kind,
          index: readQuantity(index),
          sender: lower(sender),
          to: lower(to),
          amount,
          data: hexToBytes(data),
          l1BlockNumber,
        },
      }
    }
    case 'BatchCommitted': {
      const { batchIndex, batchHash, setId, absent } = log.args
      const transactionHash = readHash(log.transactionHash)
      return {
        type: 'batch-committed',
        batchIndex: readQuantity(batchIndex),
        batchHash,
        setId: readQuantity(setId),
        absent,
        transactionHash,
        l1BlockNumber,
      }
    }
    case 'BatchFinalized':
      return {
        type: 'batch-finalized',
        batchIndex: readQuantity(log.args.batchIndex),
        batchHash: log.args.batchHash,
        l1BlockNumber,
      }
  }
}
