import { beforeEach, describe, expect, it } from 'vitest'
import { type ConsensusMessage, decodeConsensusMessage } from '../../base/protocol/consensus-message.js'
import { VirtualClock } from '../../io/time/virtual-clock.js'
import type { RoundMessages } from '../../rules/consensus/core.js'
import { asVerified } from '../../rules/consensus/verified.js'
import { RoundGossip } from './round-gossip.js'
import { height, keys, set, vote } from './votes/votes.fixture.js'

let sent: { to: string; message: ConsensusMessage }[]
let round: number
let validRound: number | -1
let waitsSinceMs: number | null
let standstills: number
let clock: VirtualClock
let gossip: RoundGossip

/** One prevote in each round. */
const messagesOf = (of: number): RoundMessages => ({
  proposals: [],
  prevotes: [asVerified(vote(0, { round: of }))],
  precommits: [],
  aggregates: [],
})

beforeEach(() => {
  sent = []
  round = 4
  validRound = -1
  waitsSinceMs = null
  standstills = 0
  clock = new VirtualClock(0)
  gossip = new RoundGossip({
    network: {
      peers: () => [{ id: 'peer-1', consensusKey: keys[1]!.publicKey() }],
      send: (to, _channel, bytes) => {
        sent.push({ to, message: decodeConsensusMessage(bytes) })
      },
      onConnect: () => () => {},
    },
    clock,
    view: {
      height: () => height,
      set: () => set,
      round: () => round,
      validRound: () => validRound,
      messagesOf,
      block: () => undefined,
      waitsSinceMs: () => waitsSinceMs,
    },
    onStandstill: () => standstills++,
  })
})

const help = (theirs: number, at = height) =>
  gossip.help({ id: 'peer-1', member: 1 }, { kind: 'status', height: at, round: theirs, hasProposal: true })
const roundsSent = () =>
  sent
    .flatMap(({ message }) => (message.kind === 'votes' ? message.votes : []))
    .map(vote => vote.round)
    .sort((a, b) => a - b)

describe('RoundGossip', () => {
  it('sends a peer the votes of its own round, however far behind it is, and those of the last rounds', () => {
    help(0)
    expect(roundsSent()).toEqual([0, 2, 3, 4])
  })

  it('sends the prevotes of the valid round too, and each round once', () => {
    validRound = 1
    help(3)
    expect(roundsSent()).toEqual([1, 3, 4])
  })

  it('sends nothing to a peer at another height or in a later round', () => {
    help(4, height + 1)
    help(5)
    expect(sent).toEqual([])
  })

  it('answers a peer that asks without end ten times a second, and at once at the next height', async () => {
    for (let i = 0; i < 1_000; i++) {
      help(4)
      await clock.advance(1)
    }
    expect(roundsSent().filter(round => round === 4).length).toBe(10)
    sent = []
    gossip.decided(100)
    help(4)
    expect(sent.length).toBe(1)
  })

  it('says where it stands while a height stands still, and only then', async () => {
    gossip.start()
    await clock.advance(1_000)
    expect(sent).toEqual([])
    waitsSinceMs = clock.nowMs()
    await clock.advance(1_000)
    expect(sent.length).toBeGreaterThan(2)
    expect(sent[0]).toEqual({ to: 'peer-1', message: { kind: 'status', height, round: 4, hasProposal: false } })
    expect(standstills).toBe(sent.length)
    gossip.stop()
  })
})
