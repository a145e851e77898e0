import { expect, it } from 'vitest'
import { type BlockHash, zeroHash } from '../../src/base/primitives/hashes.js'
import { ok, refuse } from '../../src/base/primitives/result.js'
import { decodeConsensusMessage } from '../../src/base/protocol/consensus-message.js'
import { isNil, precommit, prevote, type Vote } from '../../src/base/protocol/vote.js'
import { TestConsensusNetwork } from './consensus-network.js'

/** Votes that travel in a message of the consensus channel. */
function votesIn(content: Uint8Array): readonly Vote[] {
  const message = decodeConsensusMessage(content)
  if (message.kind === 'votes') return message.votes
  return message.kind === 'aggregate' ? message.aggregate.votes : []
}

/** That no block is prepared after a vote was extended (G4 of spec/consensus.md) rests on the log, which is gone here. */
const problemsOf = (net: TestConsensusNetwork) => net.problems().filter(problem => !problem.startsWith('G4'))

it('a sequencer that lost its log, not its signing record, stays locked on the block that it precommitted', async () => {
  const net = new TestConsensusNetwork(4)
  for (let i = 0; i < 4; i++) await net.start(i)
  await net.clock.advance(1_000)
  net.busy = false
  await net.clock.advance(500)
  const height = Math.max(...net.heights()) + 1
  const [proposer, next, locker, refuser] = [0, 1, 2, 3].map(i => (height + i) % 4) as [number, number, number, number]

  // Three prevote the block and one nil, and only the locker hears of all three: it precommits alone, and a round follows.
  net.judges = async index =>
    index === refuser ? refuse({ reason: 'clock', detail: 'late', blame: 'own-view' }) : ok(undefined)
  const precommits = new Map<number, BlockHash>()
  const prevotes: Vote[] = []
  let isLogLost = false
  net.loses = ({ channel, to }, content) => {
    const votes = channel === 'consensus' ? votesIn(content).filter(vote => vote.height === height) : []
    for (const vote of votes)
      if (vote.step === precommit) precommits.set(vote.member, vote.blockHash)
      else if (vote.member === locker) prevotes.push(vote)
    const ofFirstRound = votes.filter(({ round, step }) => round === 0 && step === prevote)
    if (to === `node-${locker}`) return isLogLost && ofFirstRound.length > 0
    return ofFirstRound.some(({ member }) => member === locker)
  }
  net.busy = true
  for (const node of net.nodes.values()) node.wake()
  for (let i = 0; i < 400 && precommits.size < 4; i++) await net.clock.advance(5)
  const locked = precommits.get(locker)!
  expect(isNil(locked)).toBe(false)
  expect([proposer, next, refuser].map(member => precommits.get(member))).toEqual([zeroHash, zeroHash, zeroHash])

  // Now its vote is needed, its log is gone, and nobody tells it of the polka again.
  isLogLost = true
  await net.crash(locker)
  await net.crash(refuser)
  await net.disks.get(locker)!.wal.replace([])
  await net.start(locker)
  await net.clock.advance(10_000)
  const contrary = prevotes.filter(({ round, blockHash }) => round > 0 && !isNil(blockHash) && blockHash !== locked)
  expect(contrary.map(({ round }) => round)).toEqual([])
  expect(prevotes.some(({ round, blockHash }) => round > 0 && isNil(blockHash))).toBe(true)

  // Others are a quorum without it.
  net.judges = async () => ok(undefined)
  await net.start(refuser)
  await net.clock.advance(10_000)
  expect(Math.min(...net.heights())).toBeGreaterThan(height + 2)
  expect(problemsOf(net)).toEqual([])
})
