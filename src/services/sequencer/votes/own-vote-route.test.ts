import { beforeEach, describe, expect, it } from 'vitest'
import { type ConsensusMessage, decodeConsensusMessage } from '../../../base/protocol/consensus-message.js'
import type { Vote } from '../../../base/protocol/vote.js'
import type { Peer } from '../../../io/network/peer-network.js'
import { silentLogger } from '../../../io/telemetry/logger.js'
import { asVerified } from '../../../rules/consensus/verified.js'
import { OwnVoteRoute } from './own-vote-route.js'
import { a, aggregate, b, keys, set, vote } from './votes.fixture.js'

const peers = keys.map<Peer>((key, i) => ({ id: `peer-${i}`, consensusKey: key.publicKey() }))
const self = 1

let near: number[]
let up: Set<number>
let straight: Vote[]
let relayed: string[]
let gathered: Vote[]
let later: (() => void)[]
let route: OwnVoteRoute

beforeEach(() => {
  near = [3, 5]
  up = new Set([0, 1, 2, 3, 4, 5, 6])
  straight = []
  relayed = []
  gathered = []
  later = []
  route = routeOf(7)
})

function routeOf(leastMembers: number): OwnVoteRoute {
  return new OwnVoteRoute(
    { leastMembers, nearMs: 10, mistrustHeights: 16 },
    {
      network: {
        peers: () => peers.filter((_, i) => i !== self),
        roundTripMs: peer => (near.includes(Number(peer.slice(5))) ? 3 : peer === 'peer-6' ? null : 80),
        send: (peer, _channel, bytes) => {
          const { vote: one } = decodeConsensusMessage(bytes) as Extract<ConsensusMessage, { kind: 'relay' }>
          relayed.push(`${one.height}/${one.step} to ${peer}`)
        },
      },
      up: () => up,
      logger: silentLogger,
      later: (_delayMs, task) => later.push(task),
      broadcast: message => {
        if (message.kind === 'votes') straight.push(...message.votes)
      },
      gather: one => gathered.push(one),
    },
  )
}

/** Sends this node's vote at the height. */
function send(height: number, round = 0): void {
  route.startHeight({ height, set, self })
  route.send(asVerified(vote(self, { height, round })))
}
/** As `send`; then an aggregate brings the vote. */
function sendAndSee(height: number): void {
  send(height)
  route.seen(aggregate([self, 3], { height }).votes)
}
const patienceEnds = () => {
  for (const task of later.splice(0)) task()
}

describe('OwnVoteRoute', () => {
  it('goes by the near member whose turn it is, and each has its turn', () => {
    for (let height = 7; height < 14; height++) sendAndSee(height)
    // Places 7 to 13 of seven members are 0 to 6: the first near one at or after each is 1, 1, 3, 3, 5, 5, and 1 again.
    expect(relayed).toEqual(['9/1 to peer-3', '10/1 to peer-3', '11/1 to peer-5', '12/1 to peer-5'])
    expect(gathered.map(({ height }) => height)).toEqual([7, 8, 13])
    expect(straight).toEqual([])
    expect(route.expected()).toBe(3)
  })

  it('is straight in a small set, without near members, in later rounds, and outside the set', () => {
    route = routeOf(8)
    send(9)
    route = routeOf(7)
    near = [3]
    send(9)
    near = [3, 5]
    send(9, 1)
    expect(straight).toHaveLength(3)
    expect(relayed).toEqual([])
  })

  it('is straight once the aggregator let the vote lie, and avoids that one for a while', () => {
    send(9)
    expect(relayed).toEqual(['9/1 to peer-3'])
    patienceEnds()
    expect(straight.map(({ height }) => height)).toEqual([9])
    near = [3, 5, 6]
    sendAndSee(10)
    expect(relayed.at(-1)).toBe('10/1 to peer-5')
    sendAndSee(24)
    expect(relayed.at(-1)).toBe('24/1 to peer-5')
    sendAndSee(31)
    expect(relayed.at(-1)).toBe('31/1 to peer-3')
  })

  it('goes by none that is connected and down', () => {
    near = [3, 4, 5]
    up.delete(3)
    sendAndSee(9)
    expect(relayed).toEqual(['9/1 to peer-4'])
    expect(route.expected()).toBe(3)
  })

  it('is over when an aggregate claims the vote: of this member, step and value', () => {
    send(9)
    route.seen(aggregate([2, 3], { height: 9 }).votes)
    route.seen(aggregate([1, 3], { height: 9, blockHash: b }).votes)
    route.seen(aggregate([1, 3], { height: 9, step: 2 }).votes)
    patienceEnds()
    expect(straight).toHaveLength(1)
    send(38)
    route.seen(aggregate([1, 3], { height: 38, blockHash: a }).votes)
    patienceEnds()
    expect(straight).toHaveLength(1)
  })

  it('is straight for some heights after one that stood still, longer when it happens again', () => {
    const straightAfter = (height: number) => {
      sendAndSee(height)
      route.standsStill()
      route.standsStill()
      const before = straight.length
      for (let i = 1; i <= 20; i++) sendAndSee(height + i)
      return straight.length - before
    }
    expect(straightAfter(100)).toBe(4)
    expect(straightAfter(121)).toBe(4)
    expect(straightAfter(130)).toBe(8)
    expect(straightAfter(151)).toBe(16)
    expect(straightAfter(180)).toBe(16)
    expect(straightAfter(300)).toBe(4)
  })

  it('shows everybody a vote that came too late for its height, and is straight for some heights', () => {
    send(9)
    sendAndSee(10)
    patienceEnds()
    expect(straight.map(({ height }) => height)).toEqual([9])
    for (let height = 11; height <= 16; height++) sendAndSee(height)
    expect(straight.map(({ height }) => height)).toEqual([9, 11, 12, 13, 14])
  })

  it('is over also when the aggregate comes after the height', () => {
    send(9)
    sendAndSee(10)
    route.seen(aggregate([self, 3], { height: 9 }).votes)
    patienceEnds()
    expect(straight).toEqual([])
  })

  it('blames no aggregator for a height that stood still without one', () => {
    route.startHeight({ height: 50, set, self })
    route.standsStill()
    send(51)
    expect(straight).toEqual([])
  })
})
