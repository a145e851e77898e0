import { BlsSecretKey } from '../../base/crypto/bls.js'
import { type BlockHash, zeroHash } from '../../base/primitives/hashes.js'
import type { MemberIndex, Round } from '../../base/primitives/quantities.js'
import { defaultParameters } from '../../base/protocol/protocol-parameters.js'
import { setOfKeys } from '../../base/protocol/sequencer-set.fixture.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'
import { precommit, prevote, type VoteStep } from '../../base/protocol/vote.js'
import { createConsensusCore } from './core.js'
import type { ConsensusInput, ConsensusOutput, TimeoutStep } from './core-messages.js'
import { asVerified } from './verified.js'

// The core takes verified messages, so any well-formed key and signature will do.
const key = BlsSecretKey.fromSeed(new Uint8Array(32).fill(7))
const signature = key.sign(new Uint8Array(32))
/** A set with these powers. */
export const setOf = (powers: readonly bigint[]): SequencerSet => setOfKeys({ keys: powers.map(() => key), powers })

// With equal powers the proposer of round r at this height is member r mod 4.
export const height = 4
export const set = setOf([1n, 1n, 1n, 1n])
/** A block hash with a one-letter name; 'nil' is nil. */
export const hashOf = (name: string): BlockHash =>
  name === 'nil' ? zeroHash : (`0x${name.charCodeAt(0).toString(16).repeat(32)}` as BlockHash)
const nameOf = (hash: BlockHash): string =>
  hash === zeroHash ? 'nil' : String.fromCharCode(Number.parseInt(hash.slice(2, 4), 16))

/** An output in a few words, so that a trace can be read. */
export function words(output: ConsensusOutput): string {
  switch (output.type) {
    case 'prepare-proposal':
      return `prepare ${output.round}`
    case 'sign-proposal':
      return `propose ${nameOf(output.content.blockHash)} ${output.content.round} valid ${output.content.validRound}`
    case 'sign-vote':
      return `${output.content.step === prevote ? 'prevote' : 'precommit'} ${nameOf(output.content.blockHash)} ${output.content.round}`
    case 'validate':
      return `validate ${nameOf(output.blockHash)}`
    case 'schedule-timeout':
      return `timer ${output.step} ${output.round}`
    case 'round-started':
      return `round ${output.round}`
    case 'decide':
      return `decide ${nameOf(output.blockHash)} ${output.round}`
    case 'equivocation':
      return `equivocation ${nameOf(output.first.blockHash)} ${nameOf(output.second.blockHash)}`
  }
}

/** A core that is member `self`, at the start of the height. */
export function coreOf(self: MemberIndex | null) {
  const core = createConsensusCore({ self, parameters: defaultParameters })
  const step = (input: ConsensusInput) => core.step(input).map(words)
  step({ type: 'start-height', height, set })
  const votes = (voteStep: VoteStep, name: string, round: Round, members: readonly MemberIndex[]) =>
    step({
      type: 'votes',
      votes: members.map(member =>
        asVerified({
          height,
          round,
          step: voteStep,
          blockHash: hashOf(name),
          member,
          signature,
          extension: new Uint8Array(0),
        }),
      ),
    })
  return {
    core,
    step,
    work: () => step({ type: 'work-available', height }),
    propose: (name: string, round: Round, { validRound = -1, proposer = round % 4 } = {}) =>
      step({
        type: 'proposal',
        proposal: asVerified({ height, round, validRound, blockHash: hashOf(name), proposer, signature }),
      }),
    validated: (name: string, valid = true, acceptable = true) =>
      step({ type: 'validated', height, blockHash: hashOf(name), valid, acceptable }),
    prepared: (name: string, round: Round) => step({ type: 'prepared', height, round, blockHash: hashOf(name) }),
    prevotes: (name: string, round: Round, ...members: MemberIndex[]) => votes(prevote, name, round, members),
    precommits: (name: string, round: Round, ...members: MemberIndex[]) => votes(precommit, name, round, members),
    timeout: (timeoutStep: TimeoutStep, round: Round) => step({ type: 'timeout', height, round, step: timeoutStep }),
  }
}

/** Member 3 after it locked A in round 0, in which nobody else did, now in round 1. */
export function lockedOnA() {
  const node = coreOf(3)
  node.propose('A', 0)
  node.validated('A')
  node.prevotes('A', 0, 0, 1, 3)
  node.precommits('nil', 0, 1, 2)
  return node
}
