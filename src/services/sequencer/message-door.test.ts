import { beforeEach, describe, expect, it } from 'vitest'
import { aggregateSignatures } from '../../base/crypto/bls.js'
import { zeroHash } from '../../base/primitives/hashes.js'
import type { Block } from '../../base/protocol/block.js'
import { encodeConsensusMessage, type OutgoingConsensusMessage } from '../../base/protocol/consensus-message.js'
import { type Proposal, proposalDigest } from '../../base/protocol/proposal.js'
import { devnetParameters } from '../../base/protocol/protocol-parameters.js'
import { makeSequencerSet } from '../../base/protocol/sequencer-set.js'
import { prevote, type Vote, voteDigest } from '../../base/protocol/vote.js'
import type { Observation, ObservedMessage } from '../../io/keys/consensus-signer.js'
import { inlineSignatureVerifier } from '../../io/keys/signature-verifier.js'
import type { Peer } from '../../io/network/peer-network.js'
import { silentLogger } from '../../io/telemetry/logger.js'
import { asParent, childOf, domain, genesis, keys, set } from '../../rules/blocks/blocks.fixture.js'
import { proposerOf } from '../../rules/consensus/proposer-rotation.js'
import { createProtocolSchedule } from '../../rules/upgrades/protocol-schedule.js'
import { MessageDoor } from './message-door.js'

const { maxBlockTransactionBytes } = devnetParameters
const protocol = createProtocolSchedule({ parameters: devnetParameters })
const block = childOf(genesis)
const otherBlock = childOf(genesis, { header: { gasUsed: 1 } })
const thirdBlock = childOf(genesis, { header: { gasUsed: 2 } })

function proposal(
  of: Block,
  { round = 0, validRound = -1 as number, signer = null as number | null, proposer = null as number | null } = {},
) {
  const height = of.header.number
  const member = proposer ?? proposerOf(set, height, round)
  const content = { height, round, validRound, blockHash: of.hash }
  const signature = keys[signer ?? member]!.sign(proposalDigest(domain, content))
  return { kind: 'proposal', proposal: { ...content, proposer: member, signature }, block: of } as const
}

function votes(height: number, members: readonly number[], signer: number | null = null): OutgoingConsensusMessage {
  const content = { height, round: 0, step: prevote, blockHash: block.hash }
  const digest = voteDigest(domain, content)
  return {
    kind: 'votes',
    votes: members.map(member => ({
      ...content,
      member,
      signature: keys[signer ?? member]!.sign(digest),
      extension: new Uint8Array(0),
    })),
  }
}

let receive: (from: Peer, bytes: Uint8Array) => void
let drops: string[]
let proposals: Proposal[]
let passed: Vote[]
let relayed: Vote[]
let seen: (readonly Vote[])[]
let heard: string[]
let statuses: number[]
let round: number
let isOpen: boolean
let door: MessageDoor
let observed: ObservedMessage[]
let observation: Observation

beforeEach(() => {
  drops = []
  observed = []
  observation = 'expected'
  proposals = []
  passed = []
  relayed = []
  seen = []
  heard = []
  statuses = []
  round = 0
  isOpen = true
  door = new MessageDoor({
    config: { domain, protocol },
    ports: {
      verifier: inlineSignatureVerifier,
      signer: {
        publicKey: keys[3]!.publicKey(),
        observe: async message => {
          observed.push(message)
          return observation
        },
      },
      network: {
        onMessage: (_channel, handler) => {
          receive = handler
          return () => {}
        },
        drop: (peer, { reason }) => drops.push(`${peer}: ${reason}`),
      },
      logger: silentLogger,
      onProposal: one => proposals.push(one),
      onVotes: some => passed.push(...some),
      onAggregate: ({ votes }) => passed.push(...votes),
      counted: { hasQuorumFor: () => false, countsAsSecond: () => false, lacks: () => false },
      onRelay: vote => relayed.push(vote),
      onVotesSeen: some => seen.push(some),
      onStatus: (_peer, { height }) => statuses.push(height),
      currentRound: () => round,
      isOpen: () => isOpen,
      onHeard: ({ member, height }) => heard.push(`${member} at ${height}`),
      onFailure: error => expect.fail(String(error)),
    },
  })
  door.startHeight(1, set)
})

const peer = (member: number): Peer => ({ id: `peer-${member}`, consensusKey: keys[member]!.publicKey() })
const settled = () => new Promise<void>(resolve => setImmediate(resolve))
async function say(member: number, ...messages: OutgoingConsensusMessage[]): Promise<void> {
  for (const message of messages) receive(peer(member), encodeConsensusMessage(message))
  await settled()
}
const taken = () => proposals.map(({ blockHash }) => blockHash)

describe('votes on their way by an aggregator', () => {
  const voteOf = (at: number, member: number) =>
    (votes(at, [member]) as Extract<OutgoingConsensusMessage, { kind: 'votes' }>).votes[0]!
  const sum = (at: number, members: readonly number[]) => {
    const of = members.map(member => voteOf(at, member))
    return {
      kind: 'aggregate',
      aggregate: { votes: of, signature: aggregateSignatures(of.map(one => one.signature)) },
    } as const
  }

  it('are relayed for the member that asks, and for nobody else', async () => {
    await say(0, { kind: 'relay', vote: voteOf(1, 0) }, { kind: 'relay', vote: voteOf(1, 1) })
    expect(relayed.map(({ member }) => member)).toEqual([0])
    await say(1, { kind: 'relay', vote: voteOf(3, 1) })
    expect(relayed).toHaveLength(1)
    expect(drops).toEqual([])
  })

  it('wait for the next height', async () => {
    await say(0, { kind: 'relay', vote: voteOf(2, 0) })
    await say(1, sum(2, [0, 1, 2]))
    expect(relayed).toEqual([])
    door.startHeight(2, set)
    door.deliverBuffered()
    await settled()
    expect(relayed.map(({ height }) => height)).toEqual([2])
    expect(passed.map(({ member }) => member)).toEqual([0, 1, 2])
  })

  it('are heard of as their members, and as what this node sent', async () => {
    await say(1, sum(1, [0, 2]))
    expect(heard).toEqual(['1 at 1', '0 at 1', '2 at 1'])
    expect(seen.map(of => of.map(({ member }) => member))).toEqual([[0, 2]])
  })

  it('show the signer what its key seems to have signed, and blame nobody for a single vote in a sum', async () => {
    observation = 'forged'
    await say(1, sum(1, [0, 3]))
    expect(observed).toHaveLength(1)
    expect(drops).toEqual([])
  })
})

describe('a height that this node cannot take part in', () => {
  it('lets nothing in and blames nobody', async () => {
    isOpen = false
    await say(0, proposal(block), votes(1, [0, 1]))
    receive(peer(1), Uint8Array.of(7))
    expect(taken()).toEqual([])
    expect(passed).toEqual([])
    expect(drops).toEqual([])
    isOpen = true
    receive(peer(1), Uint8Array.of(7))
    expect(drops).toEqual(['peer-1: malformed consensus message'])
  })
})

describe('proposals', () => {
  it('pass once, also when several peers bring them', async () => {
    await Promise.all([say(0, proposal(block)), say(1, proposal(block)), say(0, proposal(block))])
    await say(2, proposal(block))
    expect(taken()).toEqual([block.hash])
  })

  it('of a member whose turn it is not are ignored', async () => {
    const wrong = (proposerOf(set, 1, 0) + 1) % 4
    await say(0, proposal(block, { proposer: wrong }), proposal(block, { proposer: 9, signer: 0 }))
    expect(taken()).toEqual([])
    expect(drops).toEqual([])
  })

  it('of far rounds are ignored', async () => {
    await say(0, proposal(block, { round: 9, validRound: 0 }))
    expect(taken()).toEqual([])
    round = 1
    await say(0, proposal(block, { round: 9, validRound: 0 }))
    expect(taken()).toEqual([block.hash])
  })

  it('that are forged cost their bringer the connection, and shut out no true one', async () => {
    const signer = (proposerOf(set, 1, 0) + 1) % 4
    await Promise.all([say(3, proposal(block, { signer }), proposal(otherBlock, { signer })), say(0, proposal(block))])
    expect(new Set(drops)).toEqual(new Set(['peer-3: forged proposal']))
    expect(taken()).toEqual([block.hash])
  })

  it('of late rounds hold less, unless they claim that their block had a polka', async () => {
    round = 7
    const filled = (bytes: number, of: number) =>
      childOf(genesis, { context: { proposerIndex: proposerOf(set, 1, of) }, transactions: [new Uint8Array(bytes)] })
    const [large, fitting] = [filled(maxBlockTransactionBytes / 8 + 1, 6), filled(maxBlockTransactionBytes / 8, 6)]
    await say(0, proposal(large, { round: 6 }), proposal(fitting, { round: 6 }))
    expect(taken()).toEqual([fitting.hash])
    expect(drops).toEqual(['peer-0: false proposal: block-too-large'])
    await say(1, proposal(large, { round: 7, validRound: 6 }))
    expect(taken()).toEqual([fitting.hash, large.hash])
  })

  it('of another’s block as a new one are not let in, whatever they would say of the block', async () => {
    round = 1
    await say(1, proposal(block, { round: 1 }))
    await say(2, proposal(block, { round: 1, validRound: 2 }))
    expect(taken()).toEqual([])
    expect(drops).toEqual(['peer-1: false proposal: wrong-proposer', 'peer-2: false proposal: wrong-valid-round'])
    await say(0, proposal(block, { round: 1, validRound: 0 }))
    expect(taken()).toEqual([block.hash])
  })

  it('with another body than their header’s are forgotten, and shut out no true one', async () => {
    const otherBody = { ...block, transactions: [Uint8Array.of(1)] }
    const otherContext = { ...block, context: { ...block.context, timestampMs: 1 } }
    await say(3, proposal(otherBody))
    await say(2, proposal(otherContext))
    expect(taken()).toEqual([])
    expect(drops).toEqual(['peer-3: false proposal: body', 'peer-2: malformed consensus message'])
    await say(1, proposal(block))
    expect(taken()).toEqual([block.hash])
  })

  it('of one block with two valid rounds are two statements', async () => {
    round = 2
    await say(0, proposal(block, { round: 2, validRound: 0 }), proposal(block, { round: 2, validRound: 1 }))
    expect(proposals.map(({ validRound }) => validRound)).toEqual([0, 1])
  })

  it('that equivocate pass twice and no more', async () => {
    await say(0, proposal(block), proposal(otherBlock))
    await say(1, proposal(thirdBlock))
    expect(taken()).toEqual([block.hash, otherBlock.hash])
  })

  it('of the last height are ignored when their check ends too late', async () => {
    receive(peer(0), encodeConsensusMessage(proposal(block)))
    door.startHeight(2, set)
    await settled()
    expect(taken()).toEqual([])
  })
})

describe('senders', () => {
  it('without a consensus key of the set are not heard', async () => {
    const bytes = encodeConsensusMessage(proposal(block))
    receive({ id: 'stranger', consensusKey: null }, bytes)
    receive({ id: 'stranger', consensusKey: new Uint8Array(48) }, bytes)
    receive({ id: 'stranger', consensusKey: null }, Uint8Array.of(0xff))
    await settled()
    expect(taken()).toEqual([])
    expect(drops).toEqual([])
  })

  it('of garbage are dropped', () => {
    receive(peer(1), Uint8Array.of(0xff))
    const { proposal: mine } = proposal(block)
    receive(peer(2), encodeConsensusMessage({ kind: 'proposal', proposal: { ...mine, blockHash: zeroHash }, block }))
    expect(drops).toEqual([1, 2].map(member => `peer-${member}: malformed consensus message`))
  })

  it('of forged votes are dropped', async () => {
    await say(3, votes(1, [0, 1, 2], 3))
    expect(drops).toContain('peer-3: forged vote')
    expect(passed).toEqual([])
  })

  it('may say where they stand', async () => {
    await say(0, { kind: 'status', height: 7, round: 0, hasProposal: false })
    expect(statuses).toEqual([7])
  })
})

describe('messages of the next height', () => {
  const next = childOf(asParent(block))

  it('wait for it', async () => {
    await say(0, proposal(next), votes(2, [0, 1, 2]))
    expect([taken(), passed]).toEqual([[], []])
    door.startHeight(2, set)
    door.deliverBuffered()
    await settled()
    expect(taken()).toEqual([next.hash])
    expect(passed).toHaveLength(3)
  })

  it('are kept of each member within bounds, whatever its peer ids, so that one cannot crowd out the others', async () => {
    const junk = childOf(asParent(block), { header: { gasUsed: 9 } })
    for (let i = 0; i < 20; i++)
      receive({ ...peer(3), id: `id-${i}` }, encodeConsensusMessage(proposal(junk, { signer: 3 })))
    for (let i = 0; i < 2_000; i++) receive(peer(3), encodeConsensusMessage({ kind: 'votes', votes: [] }))
    for (let i = 0; i < 100; i++) receive(peer(3), encodeConsensusMessage(votes(2, [3])))
    await say(0, proposal(next), votes(2, [0]))
    await say(1, votes(2, [1]))
    await say(2, votes(2, [2]))
    door.startHeight(2, set)
    door.deliverBuffered()
    await settled()
    expect(taken()).toContain(next.hash)
    expect(drops).toEqual(['id-0: forged proposal'])
    expect(passed.map(({ member }) => member).sort()).toEqual([0, 1, 2, 3])
  })

  it('are of who their bearer is in the next set', async () => {
    const others = makeSequencerSet(
      2,
      [2, 1, 0].map(i => set.members[i]!),
    )
    await say(2, votes(2, [0, 1, 2], 3))
    door.startHeight(2, others)
    door.deliverBuffered()
    await settled()
    expect(drops).toEqual(['peer-2: forged vote'])
    await say(0, votes(2, [0], 2), votes(2, [1], 1), votes(2, [2], 0))
    await settled()
    expect(passed.map(({ member }) => member)).toEqual([0, 1, 2])
  })

  it('are delivered once', async () => {
    await say(0, proposal(next))
    door.startHeight(2, set)
    door.deliverBuffered()
    await settled()
    door.deliverBuffered()
    await settled()
    expect(taken()).toEqual([next.hash])
  })

  it('of later heights are not kept', async () => {
    const later = childOf(asParent(next))
    await say(0, proposal(later), votes(3, [0, 1, 2]))
    door.startHeight(2, set)
    door.deliverBuffered()
    door.startHeight(3, set)
    door.deliverBuffered()
    await settled()
    expect([taken(), passed]).toEqual([[], []])
  })
})

describe('what others say that this node signed', () => {
  const self = 3

  it('is shown to the signer, once it is not known already', async () => {
    await say(0, votes(1, [self, 1]))
    expect(observed).toMatchObject([{ kind: 'vote', content: { height: 1, blockHash: block.hash } }])
    const [known] = (votes(1, [self]) as Extract<OutgoingConsensusMessage, { kind: 'votes' }>).votes
    door.countChecked(known!)
    await say(1, votes(1, [self]))
    expect(observed).toHaveLength(1)
    expect(drops).toEqual([])
  })

  it('is of no interest at other heights, where the member may be somebody else', async () => {
    await say(0, votes(2, [self]), votes(7, [self]))
    expect(observed).toEqual([])
  })

  it('costs a peer its connection when it is forged', async () => {
    observation = 'forged'
    await say(0, votes(1, [self], 1))
    expect(drops).toEqual(['peer-0: forged vote'])
  })

  it('is looked at one message of a peer at a time', async () => {
    const many = Array.from({ length: 50 }, () => votes(1, [self]))
    receiveAll(0, many)
    await settled()
    expect(observed).toHaveLength(1)
  })

  it('includes proposals', async () => {
    round = 0
    while (proposerOf(set, 1, round) !== self) round++
    await say(0, proposal(block, { round, validRound: 0 }))
    expect(observed).toMatchObject([{ kind: 'proposal', content: { height: 1, round, blockHash: block.hash } }])
    expect(taken()).toEqual([block.hash])
  })
})

function receiveAll(member: number, messages: readonly OutgoingConsensusMessage[]): void {
  for (const message of messages) receive(peer(member), encodeConsensusMessage(message))
}
