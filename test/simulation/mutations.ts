import type { SimulationSpec } from './run-simulation.js'
import type { ScenarioName } from './scenario-names.js'

/** A fault put into the compiled code: `find` stands there exactly once, and `replace` in its place. */
export interface Mutation extends Edit {
  readonly name: string
  /** Second lines of defence, which would hide the loss of the first. */
  readonly without?: readonly Edit[]
  /** Where it must show. */
  readonly scenario: ScenarioName
  /** A run that must show it, before those that seeds draw: how a failure once looked. */
  readonly shownBy?: Pick<SimulationSpec, 'seed' | 'schedule'> & {
    /** As many seeds, made of this one, are tried: where it takes luck besides the faults. */
    readonly tries?: number
  }
}

/** One change of the compiled code. */
export interface Edit {
  /** Below build/. */
  readonly file: string
  readonly find: string
  readonly replace: string
}

const machine = 'src/rules/consensus/round-machine.js'
const keeper = 'src/rules/consensus/vote-keeper.js'
const engine = 'src/services/sequencer/engine.js'
const voteDoor = 'src/services/sequencer/votes/vote-door.js'
const ownMessages = 'src/services/sequencer/signing/own-messages.js'
const application = 'src/services/sequencer/chain-application.js'

/** The signing record holds the lock too. */
const guardOfLock: Edit = {
  file: 'src/io/keys/signing-rules.js',
  find: "asked.kind === 'prevote' && breaksLock(record.lock, asked)",
  replace: 'false',
}

/** A false proposal is not let in. */
const proposalCheck: Edit = {
  file: 'src/services/sequencer/message-door.js',
  find: 'checked.ok ? block : no(checked.error.reason, checked.error.detail)',
  replace: 'block',
}

/** Mutations of the real code that the simulation must catch: what is not in this list is not known to be watched. */
export const mutations: readonly Mutation[] = [
  {
    name: 'the lock is ignored (L23, L29)',
    file: machine,
    find: 'isAcceptable && (isUnlocked || this.lockedValue === blockHash)',
    replace: 'isAcceptable',
    without: [guardOfLock],
    scenario: 'partitions',
  },
  {
    name: 'a polka does not lock (L38)',
    file: machine,
    find: 'this.lockedRound = this.round;',
    replace: '',
    without: [guardOfLock],
    scenario: 'partitions',
  },
  {
    name: 'the valid round of a proposal is believed (L28)',
    file: machine,
    find: '!isNew && !this.rounds.get(validRound)?.prevotes.hasQuorumFor(blockHash)',
    replace: 'false',
    scenario: 'byzantine',
    shownBy: {
      seed: 'mutation-1',
      schedule: {
        faulty: [1],
        events: [
          { atMs: 3_000, kind: 'byzantine', node: 1, behaviour: 'false-valid-round', forMs: 9_000 },
          { atMs: 4_000, kind: 'hidden-decision', node: 2, blind: 1, forMs: 8_000 },
        ],
      },
    },
  },
  {
    name: 'a block is judged by the proposal that brings it',
    file: application,
    find: 'const checked = checkContext({ block, parent, set, protocol });',
    replace:
      "const checked = validRound === -1 && block.context.proposerIndex !== proposal.proposer ? { ok: false, error: { reason: 'wrong-proposer', detail: '' } } : checkContext({ block, parent, set, protocol });",
    without: [proposalCheck],
    scenario: 'byzantine',
    shownBy: {
      seed: 'mutation-18',
      tries: 30,
      schedule: {
        faulty: [3],
        events: [
          { atMs: 1_672, kind: 'byzantine', node: 3, behaviour: 'stolen-proposal', forMs: 14_568 },
          { atMs: 2_863, kind: 'one-way', from: 2, to: 3, forMs: 1_575 },
          { atMs: 3_866, kind: 'delay', node: 3, ms: 125, forMs: 548 },
          { atMs: 4_836, kind: 'delay', node: 3, ms: 119, forMs: 7_807 },
          { atMs: 7_291, kind: 'hidden-decision', node: 1, blind: 3, forMs: 2_820 },
          { atMs: 8_014, kind: 'byzantine', node: 3, behaviour: 'split-proposal', forMs: 6_696 },
          { atMs: 8_748, kind: 'one-way', from: 3, to: 1, forMs: 1_800 },
          { atMs: 10_400, kind: 'partition', side: [1, 2, 3], forMs: 6_050 },
        ],
      },
    },
  },
  {
    name: 'a block is taken with whatever body it comes',
    file: 'src/base/protocol/block.js',
    find: 'if (transactionsRootOf(opened.transactions) !== header.transactionsRoot)',
    replace: 'if (false)',
    scenario: 'byzantine',
  },
  {
    name: 'votes of old rounds count for the current one',
    file: machine,
    find: 'const keeper = this.stateOf(vote.round).keeperOf(vote.step);',
    replace: 'const keeper = this.current.keeperOf(vote.step);',
    scenario: 'partitions',
  },
  {
    name: 'more than half of the power is a quorum',
    file: 'src/base/protocol/sequencer-set.js',
    find: 'return power * 3n > set.totalPower * 2n;',
    replace: 'return power * 2n > set.totalPower;',
    scenario: 'byzantine',
  },
  {
    name: 'every member counts the same, whatever its power',
    file: keeper,
    find: 'tally.power += this.set.members[member].power;',
    replace: 'tally.power += this.set.totalPower / BigInt(this.set.members.length);',
    scenario: 'chaos',
  },
  {
    name: 'votes are not verified',
    file: voteDoor,
    find: 'if (verdicts[i])',
    replace: 'if (true)',
    scenario: 'byzantine',
  },
  {
    name: 'prevotes in a sum that overlaps with another cannot be passed on',
    file: keeper,
    find: 'return step === prevote && addsMember;',
    replace: 'return false;',
    scenario: 'byzantine',
    shownBy: {
      seed: 'os-9',
      schedule: {
        faulty: [1],
        events: [{ atMs: 300, kind: 'byzantine', node: 1, behaviour: 'one-sided-sum', forMs: 70_000 }],
      },
    },
  },
  {
    name: 'a certificate needs no quorum',
    file: 'src/base/protocol/quorum-certificate.js',
    find: 'if (!isQuorum(set, signers.value.power))',
    replace: 'if (false)',
    scenario: 'byzantine',
  },
  {
    name: 'imported blocks are taken without their certificate',
    file: 'src/services/chain/chain.js',
    find: 'if (!this.proved.has(certificate) && ',
    replace: 'if (false && ',
    scenario: 'byzantine',
    shownBy: {
      seed: 'mutation-3',
      tries: 10,
      schedule: {
        faulty: [1],
        events: [{ atMs: 1_000, kind: 'byzantine', node: 1, behaviour: 'forgery', forMs: 11_000 }],
      },
    },
  },
  {
    name: 'the log is not synced before a vote is signed',
    file: ownMessages,
    find: 'await wal.sync();\n            const signature = await signer.signVote({ ...content, polkaRound });',
    replace: 'const signature = await signer.signVote({ ...content, polkaRound });',
    scenario: 'crashes',
  },
  {
    name: 'the log is not read after a crash',
    file: engine,
    find: 'records.filter(record => record.height === this.height)',
    replace: '[]',
    scenario: 'crashes',
  },
  {
    name: 'the record of the signer is not saved',
    file: 'src/io/keys/guarded-signer.js',
    find: 'Promise.all([this.store.save(this.record), this.signSoon(digest)])',
    replace: 'Promise.all([null, this.signSoon(digest)])',
    scenario: 'crashes',
  },
  {
    name: 'the journal of transactions is not synced',
    file: 'src/services/mempool/transaction-journal.js',
    find: 'await log.sync();',
    replace: ';',
    scenario: 'crashes',
  },
  {
    name: 'the journal of transactions is not read after a crash',
    file: 'src/services/mempool/create-mempool.js',
    find: 'if (raws.length === 0)',
    replace: 'if (true)',
    scenario: 'crashes',
  },
  {
    name: 'a proposal is not executed before it is voted for',
    file: application,
    find: "if (status.status === 'VALID')",
    replace: 'if (true)',
    scenario: 'byzantine',
  },
  {
    name: 'the withdrawals of a proposal are not compared',
    file: 'src/rules/blocks/proposal-rules.js',
    find: 'if (!sameWithdrawals(block.withdrawals, attributes.withdrawals))',
    replace: 'if (false)',
    scenario: 'byzantine',
    shownBy: {
      seed: 'mutation-9',
      schedule: {
        faulty: [1],
        events: [{ atMs: 1_000, kind: 'byzantine', node: 1, behaviour: 'false-deposit', forMs: 11_000 }],
      },
    },
  },
  {
    name: 'the L1 origin of a proposal is not checked',
    file: application,
    find: 'if (!origin.ok)',
    replace: 'if (false)',
    scenario: 'byzantine',
  },
  {
    name: 'origins are taken before they are deep enough',
    file: 'src/services/l1-follower/l1-follower.js',
    find: 'head.number - l1Confirmations',
    replace: 'head.number',
    scenario: 'l1',
  },
  {
    name: 'burned fees are credited twice',
    file: 'src/rules/blocks/block-withdrawals.js',
    find: 'credit(recycledFeeWithdrawal, feeVaultAddress, burned / weiPerGwei);',
    replace: 'credit(recycledFeeWithdrawal, feeVaultAddress, (2n * burned) / weiPerGwei);',
    scenario: 'calm',
  },
  {
    name: 'a batch does not name its parent',
    file: 'src/services/batcher/batch-sealer.js',
    find: 'batchHash: sealed.batchHash, lastBlock: header.lastBlock',
    replace: 'batchHash: this.parent.batchHash, lastBlock: header.lastBlock',
    scenario: 'l1',
  },
  {
    name: 'lost consensus messages are not sent again',
    file: 'src/services/sequencer/round-gossip.js',
    find: 'if (status.height !== view.height() || status.round > view.round())',
    replace: 'if (true)',
    scenario: 'partitions',
  },
  {
    name: 'a head is told once',
    file: 'src/services/syncer/syncer.js',
    find: 'if (clock.nowMs() - this.lastHeadMs >= headRepeatMs)',
    replace: 'if (false)',
    scenario: 'byzantine',
    shownBy: {
      seed: 'mutation-5',
      schedule: { faulty: [0], events: [{ atMs: 7_372, kind: 'hidden-decision', node: 3, blind: 0, forMs: 3_719 }] },
    },
  },
  {
    name: 'a message that could not be signed is forgotten',
    file: ownMessages,
    find: 'later(retryMs, again);',
    replace: 'void again;',
    scenario: 'crashes',
  },
  {
    name: 'a node that is behind does not catch up',
    file: 'src/services/syncer/syncer.js',
    find: 'checkBehind() {',
    replace: 'checkBehind() {\n        return;',
    scenario: 'partitions',
  },
  {
    name: 'the sum of an aggregate is not checked',
    file: voteDoor,
    find: 'if (verdicts[i])',
    replace: 'if (verdicts[i] || entry.aggregate)',
    scenario: 'aggregation',
    shownBy: {
      seed: 'mutation-0',
      schedule: {
        faulty: [1],
        events: [{ atMs: 1_000, kind: 'byzantine', node: 1, behaviour: 'forged-aggregate', forMs: 11_000 }],
      },
    },
  },
]
