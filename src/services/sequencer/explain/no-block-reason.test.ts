import { describe, expect, it } from 'vitest'
import { type BlockHash, zeroAddress, zeroHash } from '../../../base/primitives/hashes.js'
import { devnetParameters } from '../../../base/protocol/protocol-parameters.js'
import type { HeightInProgress, VotesInProgress } from './height-in-progress.js'
import { type NoBlockFacts, type NoBlockReason, noBlockReason, noBlockSentence } from './no-block-reason.js'

const nowMs = 10_000
const blockHash: BlockHash = `0x${'ab'.repeat(32)}` as const
const otherHash: BlockHash = `0x${'cd'.repeat(32)}` as const

/** Votes of a set of four with power 1 each. */
function votes(known: Readonly<Record<number, BlockHash | null>>): VotesInProgress {
  const members = Object.keys(known).map(Number)
  const values = Object.values(known)
  return {
    known: members.map(member => ({ member, blockHash: known[member]!, verified: known[member] !== null })),
    missing: [0, 1, 2, 3].filter(index => !members.includes(index)),
    power: BigInt(members.length),
    lacking: BigInt(Math.max(0, 3 - members.length)),
    quorumFor: values.find(value => value && values.filter(other => other === value).length >= 3) ?? null,
  }
}

/** Round 0 of height 7 with member 1 proposing, seen by member 0, everybody connected. */
const usual: HeightInProgress = {
  nowMs,
  height: 7,
  round: 0,
  step: 'propose',
  heightSinceMs: nowMs - 120,
  roundSinceMs: nowMs - 120,
  stepSinceMs: nowMs - 20,
  self: 0,
  proposer: 1,
  members: [0, 1, 2, 3].map(index => ({
    index,
    feeRecipient: zeroAddress,
    power: 1n,
    connected: true,
    lastHeardMs: nowMs - 150,
  })),
  totalPower: 4n,
  quorumConnected: true,
  proposal: null,
  prevotes: votes({}),
  precommits: votes({}),
  locked: null,
  valid: null,
  nextTimeout: { step: 'propose', dueMs: nowMs + 980 },
  busy: null,
  buildFailure: null,
  work: { waits: true, notBeforeMs: nowMs - 100, emptyBlockDueMs: nowMs + 312 },
  refusedProposals: [],
  refusedSignatures: [],
  signerRefuses: false,
  signerAway: false,
}

const accepted = { blockHash, verdict: 'accepted', validRound: null } as const
const without = (...gone: number[]) =>
  usual.members.map(member => ({ ...member, connected: !gone.includes(member.index) }))
const signature = {
  height: 7,
  round: 0,
  kind: 'vote',
  code: 'BELOW_RECORD',
  detail: 'asked for before',
  atMs: nowMs,
} as const
const refusal = {
  height: 7,
  round: 0,
  proposer: 1,
  blockHash,
  reason: 'timestamp-not-timely',
  detail: '900 ms ahead',
  blame: 'own-view',
  atMs: nowMs,
} as const

const ofVersion2 = {
  ...refusal,
  reason: 'unknown-version',
  detail: 'protocol version 2, here 1',
  blame: 'own-version',
} as const
const unknown = { reason: 'PROTOCOL_VERSION_UNKNOWN', height: 7, version: 2, own: 1, of: 'software' } as const

type Row = [
  reason: NoBlockReason,
  says: string,
  change: Partial<HeightInProgress> | null,
  facts?: Partial<NoBlockFacts>,
]

const rows: Row[] = [
  ['NOT_A_SEQUENCER', 'no consensus key', null],
  ['PROTOCOL_VERSION_UNKNOWN', 'before height 7', {}, { halt: unknown, behind: 6 }],
  ['PROTOCOL_VERSION_UNKNOWN', 'its software knows versions up to 1', null, { halt: unknown }],
  [
    'PROTOCOL_VERSION_UNKNOWN',
    'its network file has version 1 there',
    null,
    { halt: { ...unknown, of: 'network-file' } },
  ],
  [
    'PROTOCOL_VERSION_NOT_ADOPTED',
    'decided height 7 with protocol version 1',
    {},
    { halt: { reason: 'PROTOCOL_VERSION_NOT_ADOPTED', height: 7, version: 1, own: 2, of: 'network-file' } },
  ],
  // A proposal alone proves nothing of the network: the node goes on.
  ['PROTOCOL_VERSION_UNKNOWN', 'version 2, here 1', { step: 'prevote', refusedProposals: [ofVersion2] }],
  ['WAITING_FOR_PROPOSAL', 'Member 1', { refusedProposals: [{ ...ofVersion2, height: 6 }] }],
  ['SYNCING', '6 blocks behind', {}, { behind: 6 }],
  ['NOT_IN_SET', 'not in the sequencer set', { self: null }],
  [
    'EXECUTION_BUSY',
    'busy for 40 ms: it is to commit',
    { step: 'commit', busy: { task: 'commit', sinceMs: nowMs - 40 } },
  ],
  [
    'EXECUTION_BUSY',
    'check a proposal',
    { proposal: { blockHash, verdict: 'pending', validRound: null }, busy: { task: 'validate', sinceMs: nowMs - 9 } },
  ],
  ['EXECUTION_BUSY', 'build a proposal', { proposer: 0, busy: { task: 'build', sinceMs: nowMs - 9 } }],
  ['NO_QUORUM_CONNECTED', 'members 2, 3 not connected', { members: without(2, 3), quorumConnected: false }],
  ['NO_QUORUM_CONNECTED', 'members 2, 3', { step: 'new-height', members: without(2, 3), quorumConnected: false }],
  ['NO_WORK', 'due in 312 ms', { step: 'new-height', work: { ...usual.work, waits: false } }],
  ['NO_WORK', 'due now', { step: 'new-height', work: { ...usual.work, waits: false, emptyBlockDueMs: nowMs - 3 } }],
  ['MIN_INTERVAL', 'ends in 60 ms', { step: 'new-height', work: { ...usual.work, notBeforeMs: nowMs + 60 } }],
  ['SIGNER_AWAY', 'does not answer', { signerAway: true }],
  ['SIGNER_REFUSES', 'asked for before', { signerRefuses: true, refusedSignatures: [signature] }],
  // An old refusal, or one after which a signature came, is not why.
  ['WAITING_FOR_PROPOSAL', 'Member 1', { signerRefuses: true, refusedSignatures: [{ ...signature, height: 6 }] }],
  ['WAITING_FOR_PROPOSAL', 'Member 1', { signerRefuses: false, refusedSignatures: [signature] }],
  ['BUILD_FAILED', 'thread died', { proposer: 0, buildFailure: 'the thread died' }],
  [
    'PROPOSAL_REFUSED',
    '900 ms ahead',
    { step: 'prevote', proposal: { blockHash, verdict: 'own-view', validRound: null }, refusedProposals: [refusal] },
  ],
  [
    'PROPOSAL_REFUSED',
    'before a restart',
    { step: 'prevote', proposal: { blockHash, verdict: 'refused', validRound: null } },
  ],
  // What comes again with a polka is voted for, whatever the own view is.
  [
    'WAITING_FOR_PREVOTES',
    'members 2, 3 not heard, and 25.0 % of the power lacks',
    {
      step: 'prevote',
      round: 2,
      proposal: { blockHash, verdict: 'own-view', validRound: 1 },
      prevotes: votes({ 0: blockHash, 1: null }),
    },
  ],
  // Others overrule an own view: then the round goes on without this node's consent.
  [
    'WAITING_FOR_PRECOMMITS',
    'members 0, 1, 2, 3',
    {
      step: 'precommit',
      proposal: { blockHash, verdict: 'own-view', validRound: null },
      prevotes: votes({ 1: blockHash, 2: blockHash, 3: blockHash }),
    },
  ],
  ['BLOCK_MISSING', blockHash, { step: 'prevote', prevotes: votes({ 1: blockHash, 2: blockHash, 3: blockHash }) }],
  [
    'BLOCK_MISSING',
    otherHash,
    { step: 'precommit', proposal: accepted, precommits: votes({ 1: otherHash, 2: otherHash, 3: otherHash }) },
  ],
  ['WAITING_FOR_PROPOSAL', 'has not come yet', {}],
  ['PROPOSER_SILENT', 'it is connected, last heard 150 ms ago', { stepSinceMs: nowMs - 700 }],
  ['PROPOSER_SILENT', 'it is not connected', { members: without(1) }],
  [
    'PROPOSER_SILENT',
    'nothing was ever heard',
    { members: without(1).map(member => ({ ...member, lastHeardMs: null })) },
  ],
  [
    'WAITING_FOR_PREVOTES',
    'members 2, 3 not heard, and 25.0 % of the power lacks',
    { step: 'prevote', proposal: accepted, prevotes: votes({ 0: blockHash, 1: null }) },
  ],
  [
    'WAITING_FOR_PREVOTES',
    'is proposed again for its prevotes of round 0',
    { proposal: { ...accepted, validRound: 0 } },
  ],
  [
    'WAITING_FOR_PRECOMMITS',
    'member 3 not heard',
    {
      step: 'precommit',
      proposal: accepted,
      precommits: { ...votes({ 0: blockHash, 1: blockHash, 2: null }), lacking: 1n },
    },
  ],
  [
    'VOTES_SPLIT',
    'not for the same value',
    { step: 'prevote', proposal: accepted, prevotes: votes({ 0: blockHash, 1: blockHash, 2: zeroHash }) },
  ],
]

describe('the reason why there is no block', () => {
  it.each(rows)('%s: %s', (reason, says, change, facts = {}) => {
    const progress = change && { ...usual, ...change }
    const given: NoBlockFacts = { progress, behind: 0, halt: null, parameters: devnetParameters, ...facts }
    expect(noBlockReason(given)).toBe(reason)
    expect(noBlockSentence(reason, given)).toContain(says)
  })

  it('has a row for every reason', () => {
    const named: Record<NoBlockReason, true> = {
      PROTOCOL_VERSION_UNKNOWN: true,
      PROTOCOL_VERSION_NOT_ADOPTED: true,
      NOT_A_SEQUENCER: true,
      NOT_IN_SET: true,
      SYNCING: true,
      EXECUTION_BUSY: true,
      NO_QUORUM_CONNECTED: true,
      SIGNER_AWAY: true,
      SIGNER_REFUSES: true,
      NO_WORK: true,
      MIN_INTERVAL: true,
      BUILD_FAILED: true,
      PROPOSAL_REFUSED: true,
      BLOCK_MISSING: true,
      WAITING_FOR_PROPOSAL: true,
      PROPOSER_SILENT: true,
      WAITING_FOR_PREVOTES: true,
      WAITING_FOR_PRECOMMITS: true,
      VOTES_SPLIT: true,
    }
    expect([...new Set(rows.map(([reason]) => reason))].sort()).toEqual(Object.keys(named).sort())
  })
})
