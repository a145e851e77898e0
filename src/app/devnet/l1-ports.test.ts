import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { zeroHash } from '../../base/primitives/hashes.js'
import { type BatchHeader, batchHash } from '../../base/protocol/batch-header.js'
import { nextRollingHash } from '../../base/protocol/l1-message.js'
import { devnetParameters } from '../../base/protocol/protocol-parameters.js'
import type { CommitBatchArguments } from '../../io/l1/l1-client.js'

import {
  all,
  behindLiar,
  byQuorum,
  elected,
  feeRecipientOf,
  genesis,
  hashOf,
  headerAfter,
  inMemory,
  type L1UnderTest,
  onAnvil,
  oneEther,
  sidecar,
  signBatch,
} from './l1-scene.fixture.js'

describe.each([
  { name: 'anvil', start: () => onAnvil() },
  { name: 'memory', start: inMemory },
  { name: 'several endpoints', start: byQuorum },
  { name: 'anvil, the first of three endpoints lying to the submitter', start: behindLiar },
])('L1 ports on $name', ({ start }) => {
  let l1: L1UnderTest
  beforeAll(async () => {
    l1 = await start()
  })
  afterAll(() => l1.stop())

  const sign = (header: BatchHeader, signers: readonly number[], change: Partial<CommitBatchArguments> = {}) => ({
    ...signBatch(l1.domain, header, signers),
    ...change,
  })
  const nextHeader = (parent: BatchHeader) => headerAfter(parent, l1.reader)
  let first: CommitBatchArguments
  let newest: CommitBatchArguments

  test('blocks form a chain, and one that does not exist is null', async () => {
    await l1.pass(1)
    const head = await l1.reader.head()
    const parent = await l1.reader.block(head.number - 1)
    expect(head.parentHash).toBe(parent!.hash)
    expect(await l1.reader.block(head.number)).toEqual(head)
    expect(await l1.reader.block(head.number + 1_000)).toBeNull()
    expect((await l1.reader.finalized()).number).toBeLessThanOrEqual(head.number)
  })

  test('the elected set is read with its keys, an unknown one is null', async () => {
    const set = await l1.reader.sequencerSet(1)
    expect(set?.totalPower).toBe(elected.totalPower)
    expect(set?.members.map(({ publicKey, ...rest }) => ({ ...rest, key: publicKey.bytes }))).toEqual(
      elected.members.map(({ publicKey, ...rest }) => ({ ...rest, key: publicKey.bytes })),
    )
    expect(await l1.reader.sequencerSet(99)).toBeNull()
  })

  test('deposits are events in order, with the rolling hash that L2 computes', async () => {
    await l1.deposit(feeRecipientOf(0), oneEther)
    await l1.deposit(feeRecipientOf(1), 2n * oneEther)
    const to = (await l1.reader.head()).number
    const events = (await l1.reader.events({ from: 0, to })).filter(event => event.type === 'message')
    expect(events.map(({ message }) => [message.index, message.to, message.amount])).toEqual([
      [0, feeRecipientOf(0), oneEther],
      [1, feeRecipientOf(1), 2n * oneEther],
    ])
    const firstHash = nextRollingHash(zeroHash, events[0]!.message)
    expect(events[0]!.rollingHash).toBe(firstHash)
    expect(events[1]!.rollingHash).toBe(nextRollingHash(firstHash, events[1]!.message))
  })

  test('genesis is batch 0, committed and final', async () => {
    expect(await l1.reader.lastCommittedBatch()).toBe(0)
    expect(await l1.reader.lastFinalizedBatch()).toBe(0)
    expect(await l1.reader.committedAt(0)).toBeGreaterThan(0)
    expect(await l1.reader.committedAt(1)).toBeNull()
  })

  test('what is wrong with a batch is refused by name', async () => {
    const holder = l1.submitter(1)
    const good = await nextHeader(genesis)
    const refusalOf = async (args: CommitBatchArguments) => (await holder.wouldCommit(args))?.errorName
    expect(await refusalOf(sign({ ...good, parentBatchHash: zeroHash }, all))).toBe('WrongParent')
    expect(await refusalOf(sign({ ...good, batchIndex: 2 }, all))).toBe('WrongBatchIndex')
    expect(await refusalOf(sign({ ...good, firstBlock: 2 }, all))).toBe('WrongFirstBlock')
    expect(await refusalOf(sign({ ...good, setId: 2 }, all))).toBe('SetNotActive')
    expect(await refusalOf(sign({ ...good, blobHashesHash: zeroHash }, all))).toBe('BlobHashMismatch')
    expect(await refusalOf(sign(good, all, { blobs: [] }))).toBe('NoBlobs')
    expect(await refusalOf(sign({ ...good, messagesConsumed: 3 }, all))).toBe('MessagesNotEnqueued')
    expect(await refusalOf(sign({ ...good, messagesConsumed: 1 }, all))).toBe('WrongRollingHash')
    expect(await refusalOf(sign({ ...good, timestamp: good.timestamp + 600 }, all))).toBe('ForcedInclusionMissed')
    expect(await refusalOf(sign(good, [0, 1]))).toBe('QuorumNotReached')
    expect(await refusalOf(sign(good, all, { absent: 16n }))).toBe('AbsentOutOfRange')
    expect(await refusalOf(sign(good, [0, 1, 2], { absent: 0n }))).toBe('SignatureInvalid')
    expect(await refusalOf({ ...sign(good, all), header: { ...good, lastBlock: 11 } })).toBe('SignatureInvalid')
    expect((await l1.submitter(2).wouldCommit(sign(good, all)))?.errorName).toBe('NotYourTurn')
    expect(await refusalOf(sign(good, all))).toBeUndefined()
  })

  test('the turn-holder commits a batch with three of four signatures; its call and blob are read back', async () => {
    first = sign(await nextHeader(genesis), [0, 1, 3])
    const outcome = await l1.submitter(1).commitBatch(first)
    expect(outcome.status).toBe('success')
    if (outcome.status === 'pending') return
    const { transactionHash, l1BlockNumber } = outcome
    expect(await l1.reader.lastCommittedBatch()).toBe(1)
    expect(await l1.reader.committedAt(1)).toBe((await l1.reader.block(l1BlockNumber))!.timestamp)
    expect(await l1.reader.events({ from: l1BlockNumber, to: l1BlockNumber })).toContainEqual({
      type: 'batch-committed',
      batchIndex: 1,
      batchHash: batchHash(first.header),
      setId: 1,
      absent: 4n,
      transactionHash,
      l1BlockNumber,
    })
    expect(await l1.reader.committedBatch(transactionHash)).toEqual({
      header: first.header,
      absent: 4n,
      signature: first.signature,
      blobVersionedHashes: [sidecar.versionedHash],
    })
    const versionedHashes = [sidecar.versionedHash]
    expect(Buffer.compare((await l1.reader.blobs({ l1BlockNumber, versionedHashes }))[0]!, sidecar.blob)).toBe(0)
    await expect(l1.reader.blobs({ l1BlockNumber: l1BlockNumber - 1, versionedHashes })).rejects.toMatchObject({
      name: 'L1Error',
    })
  })

  test('a transaction that is no commitBatch is null', async () => {
    expect(await l1.reader.committedBatch(hashOf('77'))).toBeNull()
  })

  test('the same batch again is refused, also when it is sent', async () => {
    expect((await l1.submitter(1).wouldCommit(first))?.errorName).toBe('WrongBatchIndex')
    expect((await l1.submitter(1).commitBatch(first)).status).toBe('reverted')
    expect(await l1.reader.lastCommittedBatch()).toBe(1)
  })

  test('a batch is final after the challenge window, not before; anybody may post once the turn is over', async () => {
    const anybody = l1.submitter(3)
    expect((await anybody.wouldFinalize({ first: 1, last: 1 }))?.errorName).toBe('ChallengeWindowOpen')
    const second = sign(await nextHeader(first.header), all)
    expect((await anybody.wouldCommit(second))?.errorName).toBe('NotYourTurn')
    await l1.pass(devnetParameters.challengeWindowSec)
    expect(await anybody.wouldCommit(second)).toBeNull()
    expect((await anybody.commitBatch(second)).status).toBe('success')
    expect(await anybody.wouldFinalize({ first: 1, last: 1 })).toBeNull()
    const outcome = await anybody.finalizeBatch({ first: 1, last: 1 })
    expect(outcome.status).toBe('success')
    expect(await l1.reader.lastFinalizedBatch()).toBe(1)
    expect((await anybody.wouldFinalize({ first: 1, last: 1 }))?.errorName).toBe('AlreadyFinalized')
    expect((await anybody.wouldFinalize({ first: 1, last: 7 }))?.errorName).toBe('NotCommitted')
    if (outcome.status === 'pending') return
    expect(await l1.reader.events({ from: outcome.l1BlockNumber, to: outcome.l1BlockNumber })).toContainEqual({
      type: 'batch-finalized',
      batchIndex: 1,
      batchHash: batchHash(first.header),
      l1BlockNumber: outcome.l1BlockNumber,
    })
    newest = second
  })

  test('a batch that is late leaves its holder a fifth of a turn', async () => {
    const late = sign({ ...(await nextHeader(newest.header)), timestamp: newest.header.timestamp }, all)
    const until = (await l1.reader.committedAt(2))! + devnetParameters.submitterTurnSec / 5
    const refusal = await l1.submitter(0).wouldCommit(late)
    expect(refusal?.errorName).toBe('NotYourTurn')
    expect(refusal?.detail).toContain(`${until}`)
    await l1.pass(devnetParameters.submitterTurnSec / 5)
    expect(await l1.submitter(0).wouldCommit(late)).toBeNull()
  })

  test('a batch that leaves out an overdue message is refused for a second window, and no longer', async () => {
    const { forcedInclusionWindowSec: window } = devnetParameters
    const before = await nextHeader(newest.header)
    await l1.deposit(feeRecipientOf(0), oneEther)
    await l1.pass(window + 1)
    const { timestamp } = await l1.reader.head()
    const anybody = l1.submitter(3)
    const overdue = sign({ ...before, timestamp }, all)
    // Batch 3 is the turn of member 3: no other refusal hides this one.
    expect((await anybody.wouldCommit(overdue))?.errorName).toBe('ForcedInclusionMissed')
    await l1.pass(window)
    expect(await anybody.wouldCommit(overdue)).toBeNull()
    expect((await anybody.commitBatch(overdue)).status).toBe('success')
    expect(await l1.reader.lastCommittedBatch()).toBe(3)
  })
})
