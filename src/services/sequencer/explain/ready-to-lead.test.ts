import { describe, expect, it } from 'vitest'
import { zeroAddress } from '../../../base/primitives/hashes.js'
import type { HeightInProgress } from './height-in-progress.js'
import { type NotReadyReason, notReadyToLead, notReadyWords, type ReadyFacts } from './ready-to-lead.js'

const nowMs = 100_000
const noVotes = { known: [], missing: [0], power: 0n, lacking: 1n, quorumFor: null }
const well: HeightInProgress = {
  nowMs,
  height: 7,
  round: 0,
  step: 'new-height',
  heightSinceMs: nowMs - 120,
  roundSinceMs: nowMs - 120,
  stepSinceMs: nowMs - 20,
  self: 0,
  proposer: 0,
  members: [{ index: 0, feeRecipient: zeroAddress, power: 1n, connected: true, lastHeardMs: null }],
  totalPower: 1n,
  quorumConnected: true,
  proposal: null,
  prevotes: noVotes,
  precommits: noVotes,
  locked: null,
  valid: null,
  nextTimeout: null,
  busy: { task: 'validate', sinceMs: nowMs - 1_000 },
  buildFailure: null,
  work: { waits: false, notBeforeMs: nowMs, emptyBlockDueMs: nowMs },
  refusedProposals: [],
  refusedSignatures: [],
  signerRefuses: false,
  signerAway: false,
}
const facts: ReadyFacts = { progress: well, behind: 5, halt: null, l1: { lastSuccessMs: nowMs - 15_000, behind: 8 } }
const halt = { height: 7, version: 2, own: 1, of: 'software' } as const

describe('a node that is asked whether it could lead', () => {
  it('is ready when nothing keeps it', () => {
    expect(notReadyToLead(facts)).toEqual([])
  })

  it.each<[NotReadyReason, Partial<HeightInProgress>, Partial<ReadyFacts>?]>([
    ['NOT_A_SEQUENCER', {}, { progress: null }],
    ['NOT_IN_SET', { self: null }],
    ['SYNCING', {}, { behind: 6 }],
    ['PROTOCOL_VERSION_UNKNOWN', {}, { halt: { ...halt, reason: 'PROTOCOL_VERSION_UNKNOWN' } }],
    ['PROTOCOL_VERSION_NOT_ADOPTED', {}, { halt: { ...halt, reason: 'PROTOCOL_VERSION_NOT_ADOPTED' } }],
    ['NO_QUORUM_CONNECTED', { quorumConnected: false }],
    ['EXECUTION_BUSY', { busy: { task: 'build', sinceMs: nowMs - 1_001 } }],
    ['SIGNER_AWAY', { signerAway: true }],
    ['SIGNER_REFUSES', { signerRefuses: true }],
    ['L1_STALE', {}, { l1: { lastSuccessMs: null, behind: 0 } }],
    ['L1_STALE', {}, { l1: { lastSuccessMs: nowMs - 15_001, behind: 0 } }],
    ['L1_STALE', {}, { l1: { lastSuccessMs: nowMs, behind: 9 } }],
  ])('is kept by %s', (reason, change, other = {}) => {
    expect(notReadyToLead({ ...facts, progress: { ...well, ...change }, ...other })).toEqual([reason])
    expect(notReadyWords[reason]).not.toBe('')
  })

  it('says so on a node without a key too', () => {
    const reason = 'PROTOCOL_VERSION_UNKNOWN'
    expect(notReadyToLead({ ...facts, progress: null, halt: { ...halt, reason } })).toEqual(['NOT_A_SEQUENCER', reason])
  })

  it('names everything that keeps it', () => {
    const progress = { ...well, quorumConnected: false, signerRefuses: true }
    expect(notReadyToLead({ ...facts, progress, behind: 9 })).toEqual([
      'SYNCING',
      'NO_QUORUM_CONNECTED',
      'SIGNER_REFUSES',
    ])
  })
})
