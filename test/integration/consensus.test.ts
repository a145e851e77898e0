import { describe, expect, it } from 'vitest'
import { StorageError } from '../../src/io/storage/storage-error.js'
import { defaultAggregation } from '../../src/services/sequencer/votes/near-aggregator.js'
import { TestConsensusNetwork } from './consensus-network.js'

describe.each([
  ['straight to everybody', defaultAggregation],
  ['by aggregators', { ...defaultAggregation, leastMembers: 4 }],
])('engine and syncer over memory wires, in virtual time, votes going %s', (_, aggregation) => {
  async function running(size: number): Promise<TestConsensusNetwork> {
    const net = new TestConsensusNetwork(size)
    net.aggregation = aggregation
    for (let i = 0; i < size; i++) await net.start(i)
    return net
  }

  it('decides a block about every minimal interval while there is work', async () => {
    const net = await running(4)
    await net.clock.advance(2_000)
    expect(Math.min(...net.heights())).toBeGreaterThanOrEqual(15)
    expect(net.problems()).toEqual([])
    const calls = [...net.nodes.values()].flatMap(node => node.disk.history.calls)
    for (const call of ['prepareProposal', 'processProposal', 'extendVote', 'verifyVoteExtension', 'finalizeBlock'])
      expect(calls.filter(line => line.startsWith(call)).length, `calls of ${call} that were watched`).toBeGreaterThan(
        0,
      )
  })

  it('builds nothing for a height that sync has just brought', async () => {
    const net = await running(4)
    await net.clock.advance(500)
    net.busy = false
    await net.clock.advance(500)
    const height = Math.max(...net.heights()) + 1
    const proposer = height % 4
    net.loses = ({ channel, to }) => channel === 'consensus' && to === `node-${proposer}`
    net.busy = true
    for (const node of net.nodes.values()) if (node.index !== proposer) node.wake()
    while (net.nodes.get(proposer)!.height < height) await net.clock.advance(10)
    expect(net.problems()).toEqual([])
  })

  it('asks for no extension in a height that was decided while the signer worked', async () => {
    const net = await running(4)
    net.signingMs = index => (index === 3 ? 40 : 0)
    await net.clock.advance(2_000)
    expect(Math.min(...net.heights())).toBeGreaterThan(10)
    expect(net.problems()).toEqual([])
  })

  it('takes nobody for down whose votes come late', async () => {
    const net = await running(4)
    net.signingMs = index => (index === 3 ? 40 : 0)
    await net.clock.advance(4_000)
    const { chain } = net.nodes.get(0)!.disk
    const rounds = chain.slice(4).map(({ certificate }) => certificate.round)
    expect(rounds.length).toBeGreaterThan(20)
    expect(rounds.filter(round => round > 0)).toEqual([])
  })

  it('makes an empty block only every empty-block interval', async () => {
    const net = await running(4)
    net.busy = false
    await net.clock.advance(16_000)
    expect(Math.max(...net.heights())).toBeLessThanOrEqual(4)
    expect(Math.min(...net.heights())).toBeGreaterThanOrEqual(2)
    expect(net.problems()).toEqual([])
  })

  it('goes on with one of four down, and the one that returns catches up and signs', async () => {
    const net = await running(4)
    await net.clock.advance(1_000)
    await net.crash(2)
    const before = Math.max(...net.heights())
    await net.clock.advance(10_000)
    expect(Math.min(...net.heights())).toBeGreaterThan(before + 5)
    const back = await net.start(2)
    await net.clock.advance(3_000)
    expect(back.height).toBeGreaterThanOrEqual(Math.max(...net.heights()) - 1)
    const certificates = net.nodes
      .get(0)!
      .disk.chain.slice(-8)
      .map(({ certificate }) => certificate.absent)
    expect(certificates.some(absent => absent === 0n || (absent & 4n) === 0n)).toBe(true)
    expect(net.problems()).toEqual([])
  })

  it('passes over a proposer that is down: blocks come at nearly the pace of a whole network', async () => {
    const paceOf = async (crashed: boolean) => {
      const net = await running(4)
      await net.clock.advance(2_000)
      if (crashed) await net.crash(2)
      const [before, from] = [net.heights()[0]!, net.clock.nowMs()]
      let [longestMs, height, lastAtMs] = [0, before, from]
      while (net.clock.nowMs() < from + 10_000) {
        await net.clock.advance(5)
        if (net.heights()[0] === height) continue
        longestMs = Math.max(longestMs, net.clock.nowMs() - lastAtMs)
        lastAtMs = net.clock.nowMs()
        height = net.heights()[0]!
      }
      expect(net.problems()).toEqual([])
      return { blocks: height - before, longestMs }
    }
    const whole = await paceOf(false)
    const lacking = await paceOf(true)
    expect(whole.blocks / lacking.blocks).toBeLessThanOrEqual(1.3)
    expect(lacking.longestMs).toBeLessThanOrEqual(500)
  })

  it('passes over a proposer that is connected and silent, once it was silent for some heights', async () => {
    const net = await running(4)
    await net.clock.advance(2_000)
    net.loses = ({ from }) => from === 'node-2'
    await net.clock.advance(3_000)
    const before = net.heights()[0]!
    await net.clock.advance(10_000)
    expect(net.heights()[0]! - before).toBeGreaterThanOrEqual(75)
    expect(net.problems()).toEqual([])
  })

  it('stops without a quorum and resumes when it is back', async () => {
    const net = await running(4)
    await net.clock.advance(1_000)
    await net.crash(1)
    await net.crash(3)
    await net.clock.advance(500)
    const stuck = Math.max(...net.heights())
    await net.clock.advance(20_000)
    expect(Math.max(...net.heights())).toBe(stuck)
    await net.start(1)
    await net.start(3)
    await net.clock.advance(5_000)
    expect(Math.min(...net.heights())).toBeGreaterThan(stuck + 3)
    expect(net.problems()).toEqual([])
  })

  it('goes on when a full disk kept a vote of a quorum from being signed', async () => {
    const net = await running(4)
    await net.clock.advance(1_000)
    await net.crash(0)
    const { wal } = net.nodes.get(2)!.disk
    const sync = wal.sync.bind(wal)
    wal.sync = () => Promise.reject(new StorageError('DISK_FULL', 'no space is left'))
    await net.clock.advance(10_000)
    const stuck = Math.max(...net.heights())
    wal.sync = sync
    await net.clock.advance(10_000)
    expect(Math.min(...net.heights())).toBeGreaterThan(stuck + 3)
    expect(net.problems()).toEqual([])
  })

  it('stops a node that cannot know any more what its log holds', async () => {
    const net = await running(4)
    await net.clock.advance(1_000)
    const node = net.nodes.get(2)!
    const failure = new StorageError('STORE_FAILED', 'EIO')
    node.disk.wal.sync = () => Promise.reject(failure)
    await net.clock.advance(1_000)
    expect(node.fatal).toContain(failure)
  })

  it('resumes when all crash together, at many moments', async () => {
    const net = await running(4)
    for (let round = 0; round < 6; round++) {
      await net.clock.advance(300 + round * 7)
      for (let i = 0; i < 4; i++) await net.crash(i)
      for (let i = 0; i < 4; i++) await net.start(i)
      const before = Math.max(...net.heights())
      await net.clock.advance(4_000)
      expect(Math.min(...net.heights())).toBeGreaterThan(before)
    }
    expect(net.problems()).toEqual([])
  })

  it('heals after a partition without a quorum on either side', async () => {
    const net = await running(4)
    await net.clock.advance(1_000)
    const side = (id: string) => Number(id.at(-1)) < 2
    net.loses = ({ from, to }) => side(from) !== side(to)
    await net.clock.advance(15_000)
    const stuck = Math.max(...net.heights())
    net.loses = () => false
    await net.clock.advance(4_000)
    expect(Math.min(...net.heights())).toBeGreaterThan(stuck + 3)
    expect(net.problems()).toEqual([])
  })

  it('decides although a fifth of the messages is lost', async () => {
    const net = await running(4)
    let state = 12345
    net.loses = () => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
      return state / 2_147_483_648 < 0.2
    }
    await net.clock.advance(60_000)
    expect(Math.min(...net.heights())).toBeGreaterThan(20)
    expect(net.problems()).toEqual([])
  })
})
