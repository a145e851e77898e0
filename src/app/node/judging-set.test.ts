import { expect, it } from 'vitest'
import { BlsSecretKey, parseBlsPublicKey } from '../../base/crypto/bls.js'
import { zeroAddress, zeroHash } from '../../base/primitives/hashes.js'
import { duplicateAttestation, duplicateVote } from '../../base/protocol/evidence.js'
import { makeSequencerSet } from '../../base/protocol/sequencer-set.js'
import { prevote } from '../../base/protocol/vote.js'
import { createSetSchedule } from '../../rules/staking/set-schedule.js'
import { judgingSet } from './judging-set.js'

it('evidence is judged by the set of its height or by the one it names, and by none beyond the next set update', () => {
  const publicKey = parseBlsPublicKey(BlsSecretKey.fromSeed(new Uint8Array(32).fill(1)).publicKey())!
  const member = { operator: zeroAddress, submitter: zeroAddress, feeRecipient: zeroAddress, publicKey, power: 1n }
  const sets = createSetSchedule({ genesisSet: makeSequencerSet(1, [member]), minSequencers: 1 })
  sets.consume({ height: 10, set: makeSequencerSet(2, [member]) })
  const signature = new Uint8Array(96)
  const judging = (height: number) => {
    const vote = { height, round: 0, step: prevote, blockHash: zeroHash, member: 0, signature, extension: signature }
    return judgingSet({ sets, height: 10 }, duplicateVote(vote, vote))?.setId
  }
  expect([11, 12, 13].map(judging)).toEqual([1, 2, undefined])
  const attestation = { batchIndex: 1, batchHash: zeroHash, signature }
  const named = (setId: number) =>
    judgingSet(
      { sets, height: 10 },
      duplicateAttestation({ setId, member: 0, attestations: [attestation, attestation] }),
    )
  expect([1, 2, 3].map(setId => named(setId)?.setId)).toEqual([1, 2, undefined])
})
