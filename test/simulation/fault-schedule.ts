import type { Outdated } from './simulated-network.js'

/** What a Byzantine sequencer does while its fault lasts. */
export type ByzantineBehaviour =
  | 'silence'
  | 'double-vote'
  | 'double-proposal'
  | 'withheld-proposal'
  | 'split-proposal'
  | 'invalid-block'
  | 'votes-for-everything'
  | 'amnesia'
  | 'forgery'
  | 'false-deposit'
  | 'false-origin'
  | 'false-time'
  | 'false-valid-round'
  /** It proposes the block of the round before, which is another's, as a new one, and precommits nothing. */
  | 'stolen-proposal'
  /** What others proposed and it passes on, what it proposes, pushes and answers, has another body than its hash says. */
  | 'false-body'
  /** Its aggregates reach one side alone. */
  | 'withheld-aggregate'
  /** The sums of its aggregates are wrong for one side. */
  | 'forged-aggregate'
  /** Its aggregates are right, the single votes in them are not. */
  | 'false-claims'
  /** Asks everybody to pass on its vote, so that aggregates overlap. */
  | 'relay-to-all'
  /** As that, one side another vote than the other. */
  | 'double-relay'
  /** One node hears another block than the rest. Its own prevote one of these hears, in a sum with another's and a false claim; nobody else. */
  | 'one-sided-sum'

/** One fault: when it strikes (virtual ms after the start) and what it does; nodes are named by index. */
export type FaultEvent = { readonly atMs: number } & (
  | { readonly kind: 'delay' | 'slow-disk'; readonly node: number; readonly ms: number; readonly forMs: number }
  | { readonly kind: 'loss' | 'duplication' | 'reordering'; readonly probability: number; readonly forMs: number }
  | { readonly kind: 'partition'; readonly side: readonly number[]; readonly forMs: number }
  /**
   * What keeps a decision hidden: the first round's proposals do not reach `blind`, and of `node` the others hear only its
   * proposals and prevotes. It may decide what the others are locked on, while `blind` may propose something else.
   */
  | { readonly kind: 'hidden-decision'; readonly node: number; readonly blind: number; readonly forMs: number }
  | { readonly kind: 'one-way'; readonly from: number; readonly to: number; readonly forMs: number }
  | {
      readonly kind: 'crash'
      readonly nodes: readonly number[]
      readonly power: boolean
      /** How much of a write under way reached the disk, in [0, 1). */
      readonly torn: number
      readonly forMs: number
      /** The node comes back without its write-ahead log: only for nodes that count as faulty. */
      readonly logLost?: boolean
    }
  /** An operator restarts a part of a running node. */
  | { readonly kind: 'restart'; readonly node: number; readonly component: 'batcher' | 'submitter' }
  /** From the start on the node lacks the network's upgrade; then it is stopped, and comes back with it. */
  | { readonly kind: 'upgrade'; readonly node: number; readonly lacks: Outdated; readonly forMs: number }
  | { readonly kind: 'disk-full' | 'l1-down'; readonly node: number; readonly forMs: number }
  | { readonly kind: 'clock-skew'; readonly node: number; readonly ms: number; readonly forMs: number }
  | { readonly kind: 'l1-reorg'; readonly depth: number }
  | { readonly kind: 'l1-lag'; readonly node: number; readonly blocks: number; readonly forMs: number }
  | {
      readonly kind: 'byzantine'
      readonly node: number
      readonly behaviour: ByzantineBehaviour
      readonly forMs: number
    }
)

/** All faults of a run, drawn before it: dropping some leaves a run that can be repeated, so a failure can be shrunk. */
export interface FaultSchedule {
  /** Members whose power together is below a third: only they are ever Byzantine or lose their log. */
  readonly faulty: readonly number[]
  readonly events: readonly FaultEvent[]
}
