import { beforeEach, describe, expect, it } from 'vitest'
import { BlsSecretKey } from '../../base/crypto/bls.js'
import { zeroHash } from '../../base/primitives/hashes.js'
import { attestationDigest } from '../../base/protocol/batch-attestation.js'
import {
  decodeEvidenceMessage,
  duplicateVote,
  type Evidence,
  encodeEvidenceMessage,
} from '../../base/protocol/evidence.js'
import { type Proposal, proposalDigest } from '../../base/protocol/proposal.js'
import { setOfKeys } from '../../base/protocol/sequencer-set.fixture.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'
import { prevote, type Vote, voteDigest } from '../../base/protocol/vote.js'
import type { Peer } from '../../io/network/peer-network.js'
import { MemoryStore } from '../../io/storage/memory-store.js'
import { silentLogger } from '../../io/telemetry/logger.js'
import { silentMetrics } from '../../io/telemetry/metrics.js'
import { systemClock } from '../../io/time/system-clock.js'
import { EvidencePool, maxPiecesPerKey } from './evidence-pool.js'

const domain = { l1ChainId: 31_337, rollup: `0x${'12'.repeat(20)}` as const }
const keys = [1, 2, 3, 4].map(n => BlsSecretKey.fromSeed(new Uint8Array(32).fill(n)))
const setOf = (setId: number, members: readonly number[]) => setOfKeys({ setId, keys: members.map(n => keys[n]!) })
const set = setOf(1, [0, 1, 2])
const other = `0x${'bb'.repeat(32)}` as const

function vote(member: number, height: number, blockHash = zeroHash, signer = member): Vote {
  const content = { height, round: 0, step: prevote, blockHash }
  const signature = keys[signer]!.sign(voteDigest(domain, content))
  return { ...content, member, signature, extension: new Uint8Array(0) }
}

function proposal(proposer: number, height: number, validRound: number): Proposal {
  const content = { height, round: 3, validRound, blockHash: other }
  return { ...content, proposer, signature: keys[proposer]!.sign(proposalDigest(domain, content)) }
}

function attestation(signer: number, batchHash: typeof other | typeof zeroHash) {
  const content = { batchIndex: 9, batchHash }
  return { ...content, signature: keys[signer]!.sign(attestationDigest(domain, content)) }
}

const doubleVote = (member: number, height: number) => duplicateVote(vote(member, height), vote(member, height, other))
const forged = (height: number) => duplicateVote(vote(0, height), vote(0, height, other, 1))
const peer = (id: string): Peer => ({ id, consensusKey: null })

let store: MemoryStore
let sent: { to: string; pieces: Evidence[] }[]
let dropped: string[]
let errors: string[]
let known: SequencerSet | undefined
let receive: (from: Peer, bytes: Uint8Array) => void
let connect: (peer: Peer) => void
let disconnect: (peer: Peer) => void

async function openPool(): Promise<EvidencePool> {
  return EvidencePool.open({
    domain,
    ports: {
      store,
      network: {
        peers: () => [peer('p'), peer('q')],
        send: (to, _, bytes) => sent.push({ to, pieces: decodeEvidenceMessage(bytes) }),
        onMessage: (_, handler) => {
          receive = handler
          return () => {}
        },
        onConnect: handler => {
          connect = handler
          return () => {}
        },
        onDisconnect: handler => {
          disconnect = handler
        },
        drop: (id, { reason, detail }) => dropped.push(`${id}: ${reason}: ${detail}`),
      },
      setOf: () => known,
      clock: systemClock,
      logger: { ...silentLogger, error: message => errors.push(message) },
      metrics: silentMetrics,
    },
  })
}

const give = (...pieces: Evidence[]) => receive(peer('p'), encodeEvidenceMessage(pieces))

beforeEach(() => {
  store = new MemoryStore()
  sent = []
  dropped = []
  errors = []
  known = set
})

describe('the evidence pool', () => {
  it('keeps each kind of contradiction, logs it and tells every peer, once', async () => {
    const pool = await openPool()
    for (let i = 0; i < 2; i++) {
      pool.reportMessages(vote(0, 5), vote(0, 5, other))
      pool.reportMessages(proposal(1, 5, -1), proposal(1, 5, 2))
      pool.reportAttestations({ set, member: 2, attestations: [attestation(2, other), attestation(2, zeroHash)] })
    }
    const kinds = pool.list().map(({ evidence }) => evidence.kind)
    expect(kinds).toEqual(['duplicate-vote', 'duplicate-proposal', 'duplicate-attestation'])
    expect(errors.length).toBe(3)
    expect(sent.map(({ to, pieces }) => `${to} ${pieces.map(({ kind }) => kind)}`)).toEqual(
      kinds.flatMap(kind => [`p ${kind}`, `q ${kind}`]),
    )
  })

  it('is there again after a restart, and is told to who connects', async () => {
    const pool = await openPool()
    pool.reportMessages(vote(0, 5), vote(0, 5, other))
    give(doubleVote(1, 6))
    await pool.settled()
    const again = await openPool()
    expect(new Set(again.list().map(({ hash }) => hash))).toEqual(new Set(pool.list().map(({ hash }) => hash)))
    sent = []
    connect(peer('new'))
    expect(sent.map(({ to, pieces }) => [to, pieces.length])).toEqual([['new', 2]])
    give(doubleVote(1, 6))
    expect(again.list().length).toBe(2)
  })

  it('lists by height and by key', async () => {
    const pool = await openPool()
    give(doubleVote(0, 5), doubleVote(1, 8))
    pool.reportAttestations({ set, member: 2, attestations: [attestation(2, other), attestation(2, zeroHash)] })
    const members = (filter: Parameters<typeof pool.list>[0]) =>
      pool.list(filter).map(({ publicKey }) => keys.findIndex(key => `${key.publicKey()}` === `${publicKey}`))
    expect(members({})).toEqual([0, 1, 2])
    expect(members({ fromHeight: 6 })).toEqual([1])
    expect(members({ publicKey: keys[2]!.publicKey() })).toEqual([2])
    expect(members({ publicKey: keys[3]!.publicKey() })).toEqual([])
  })

  it('drops a peer for a false or malformed piece, and keeps what was true before it', async () => {
    const pool = await openPool()
    give(doubleVote(1, 5), forged(6), doubleVote(2, 7))
    receive(peer('q'), Uint8Array.of(0xc1, 0x00))
    expect(dropped).toEqual(['p: false-evidence: bad-signature', expect.stringContaining('q: malformed-evidence')])
    expect(pool.list().length).toBe(1)
  })

  it('neither judges what it does not know the set of nor blames a peer for it, and does both once it can', async () => {
    const pool = await openPool()
    known = undefined
    give(forged(600), doubleVote(1, 700))
    expect(dropped).toEqual([])
    expect(pool.list()).toEqual([])
    known = set
    pool.onHead()
    expect(dropped).toEqual(['p: false-evidence: bad-signature'])
    expect(pool.list()).toEqual([])
    known = undefined
    give(doubleVote(1, 700))
    known = set
    pool.onHead()
    expect(pool.list().map(({ publicKey }) => publicKey)).toEqual([keys[1]!.publicKey()])
  })

  it('keeps little for a peer while it waits, and nothing once the peer is gone', async () => {
    const pool = await openPool()
    const pieces = Array.from({ length: 16 }, (_, i) => doubleVote(1, 700 + i))
    const mine = doubleVote(2, 600)
    known = undefined
    receive(peer('q'), encodeEvidenceMessage([mine]))
    disconnect(peer('q'))
    give(mine)
    for (let i = 0; i < 16; i++) give(...pieces)
    known = set
    pool.onHead()
    // A few at a time: each is two pairings.
    expect(pool.list().length).toBeLessThanOrEqual(4)
    for (let turn = 0; turn < 40; turn++) await new Promise(resolve => setImmediate(resolve))
    expect(pool.list().length).toBe(16)
    expect(pool.list({ publicKey: keys[2]!.publicKey() })).toEqual([])
  })

  it('judges a few pieces at a time, however many come in one message', async () => {
    const pool = await openPool()
    give(...[0, 1, 2].flatMap(member => Array.from({ length: 16 }, (_, i) => doubleVote(member, 5 + i))))
    expect(pool.list().length).toBeLessThanOrEqual(4)
    for (let turn = 0; turn < 40; turn++) await new Promise(resolve => setImmediate(resolve))
    expect(pool.list().length).toBe(48)
    expect(dropped).toEqual([])
  })

  it('keeps one piece of a key and height, and so many of a key that nobody can fill it', async () => {
    const pool = await openPool()
    give(doubleVote(0, 5), duplicateVote({ ...vote(0, 5), round: 0 }, vote(0, 5, `0x${'cc'.repeat(32)}` as const)))
    expect(pool.list().length).toBe(1)
    for (let height = 6; height < 6 + 2 * maxPiecesPerKey; height++) give(doubleVote(0, height))
    expect(pool.list().length).toBe(maxPiecesPerKey)
    give(doubleVote(1, 5))
    expect(pool.list().length).toBe(maxPiecesPerKey + 1)
  })
})
