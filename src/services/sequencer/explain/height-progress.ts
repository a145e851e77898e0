import type { BlockHash } from '../../../base/primitives/hashes.js'
import { MorphismError } from '../../../base/primitives/morphism-error.js'
import type { Height, MemberIndex, Round } from '../../../base/primitives/quantities.js'
import type { ConsensusState } from '../../../rules/consensus/core.js'
import type { ConsensusInput, ConsensusOutput, TimeoutStep } from '../../../rules/consensus/core-messages.js'
import type { ProposalRefused } from '../application.js'

/** Refused proposals, and refusals of the signer, that are remembered. */
const maxRemembered = 32

/** What a height in progress does at the moment; `new-height` waits for work, `commit` makes the decided block the head. */
export type ProgressStep = 'new-height' | TimeoutStep | 'commit'

/** What this node's execution is asked to do for consensus. */
export type ExecutionTask = 'build' | 'validate' | 'commit'

/** A proposal that this node refused. `atMs` is the node's clock. */
export interface RefusedProposal extends ProposalRefused {
  readonly height: Height
  readonly round: Round
  readonly proposer: MemberIndex
  readonly blockHash: BlockHash
  readonly atMs: number
}

/** A signature that the signer did not give. */
export interface RefusedSignature {
  readonly height: Height
  readonly round: Round
  readonly kind: 'proposal' | 'vote'
  /** Code of the error, such as BELOW_RECORD. */
  readonly code: string
  readonly detail: string
  readonly atMs: number
}

/** How this node judged a block: `own-view` is refused by its clock or its L1 alone. */
export type BlockVerdict = 'pending' | 'accepted' | 'own-view' | 'refused'

/**
 * Follows the consensus core from outside: since when a height, round and step last, which timer is due, what execution is
 * busy with, what was refused. It reads the core's inputs and outputs, and decides nothing.
 */
export class HeightProgress {
  /** The newest last. */
  readonly refusals: RefusedProposal[] = []
  readonly signerRefusals: RefusedSignature[] = []
  heightSinceMs: number
  roundSinceMs: number
  stepSinceMs: number
  step: ProgressStep = 'new-height'
  /** Why this node's own proposal for the round could not be built. */
  buildFailure: string | null = null
  /** Whether the last signature that was asked for was refused. */
  signerRefuses = false

  private round: Round = 0
  private readonly verdicts = new Map<BlockHash, BlockVerdict>()
  private readonly tasks = new Map<string, { readonly task: ExecutionTask; readonly sinceMs: number }>()
  private readonly timers = new Map<
    string,
    { readonly round: Round; readonly step: TimeoutStep; readonly dueMs: number }
  >()
  private heard: { setId: number; atMs: Map<MemberIndex, number> } = { setId: 0, atMs: new Map() }

  constructor(private readonly clock: { nowMs(): number }) {
    this.heightSinceMs = clock.nowMs()
    this.roundSinceMs = this.heightSinceMs
    this.stepSinceMs = this.heightSinceMs
  }

  /** Takes one input of the core with what came out of it and how the core stands then. */
  stepped(input: ConsensusInput, outputs: readonly ConsensusOutput[], state: ConsensusState | null): void {
    const nowMs = this.clock.nowMs()
    if (input.type === 'start-height') this.startHeight(input.set.setId, nowMs)
    this.takeAnswer(input)
    if (state && state.round !== this.round) this.startRound(state.round, nowMs)
    for (const output of outputs) this.takeRequest(output, nowMs)
    const step = !state || state.waiting ? 'new-height' : state.decided ? 'commit' : state.step
    if (step === this.step) return
    this.step = step
    this.stepSinceMs = nowMs
  }

  /** A member's message came, whatever it said. */
  hearFrom(member: MemberIndex): void {
    this.heard.atMs.set(member, this.clock.nowMs())
  }

  /** When the last message of the member came; null when none did since its set began to sign here. */
  lastHeardMs(member: MemberIndex): number | null {
    return this.heard.atMs.get(member) ?? null
  }

  proposalRefused(refusal: Omit<RefusedProposal, 'atMs'>): void {
    this.tasks.delete(refusal.blockHash)
    if (refusal.blame === 'own-version') this.verdicts.set(refusal.blockHash, 'refused')
    remember(this.refusals, { ...refusal, atMs: this.clock.nowMs() })
  }

  buildFailed(error: unknown): void {
    this.tasks.delete('build')
    this.buildFailure = messageOf(error)
  }

  signerAnswered(): void {
    this.signerRefuses = false
  }

  signerRefused(
    kind: RefusedSignature['kind'],
    { height, round }: { height: Height; round: Round },
    error: unknown,
  ): void {
    const code = error instanceof MorphismError ? error.code : 'FAILED'
    // One that does not answer has refused nothing.
    this.signerRefuses = code !== 'SIGNER_UNAVAILABLE'
    remember(this.signerRefusals, { height, round, kind, code, detail: messageOf(error), atMs: this.clock.nowMs() })
  }

  /** Null for a block that was not proposed in this height. */
  verdictOf(blockHash: BlockHash): BlockVerdict | null {
    return this.verdicts.get(blockHash) ?? null
  }

  /** The task of execution that has run longest. */
  busy(): { readonly task: ExecutionTask; readonly sinceMs: number } | null {
    for (const task of this.tasks.values()) return task
    return null
  }

  /** The timer of the current round that runs out first and still means something to the step. */
  nextTimeout(): { readonly step: TimeoutStep; readonly dueMs: number } | null {
    let next: { readonly step: TimeoutStep; readonly dueMs: number } | null = null
    for (const { round, step, dueMs } of this.timers.values()) {
      if (round !== this.round || (step !== 'precommit' && step !== this.step)) continue
      if (!next || dueMs < next.dueMs) next = { step, dueMs }
    }
    return next
  }

  private startHeight(setId: number, nowMs: number): void {
    this.heightSinceMs = nowMs
    this.verdicts.clear()
    this.tasks.clear()
    this.startRound(0, nowMs)
    if (this.heard.setId !== setId) this.heard = { setId, atMs: new Map() }
  }

  private startRound(round: Round, nowMs: number): void {
    this.round = round
    this.roundSinceMs = nowMs
    this.stepSinceMs = nowMs
    this.timers.clear()
    this.tasks.delete('build')
    this.buildFailure = null
  }

  private takeAnswer(input: ConsensusInput): void {
    switch (input.type) {
      case 'prepared':
        this.tasks.delete('build')
        return
      case 'validated': {
        const { blockHash, valid, acceptable = true } = input
        this.tasks.delete(blockHash)
        this.verdicts.set(blockHash, !valid ? 'refused' : acceptable ? 'accepted' : 'own-view')
        return
      }
      case 'timeout':
        this.timers.delete(`${input.round}/${input.step}`)
    }
  }

  private takeRequest(output: ConsensusOutput, nowMs: number): void {
    switch (output.type) {
      case 'prepare-proposal':
        this.tasks.set('build', { task: 'build', sinceMs: nowMs })
        return
      case 'validate':
        this.verdicts.set(output.blockHash, 'pending')
        this.tasks.set(output.blockHash, { task: 'validate', sinceMs: nowMs })
        return
      case 'decide':
        this.tasks.clear()
        this.tasks.set('commit', { task: 'commit', sinceMs: nowMs })
        return
      case 'schedule-timeout': {
        const { round, step, delayMs } = output
        this.timers.set(`${round}/${step}`, { round, step, dueMs: nowMs + delayMs })
      }
    }
  }
}

function remember<Entry>(list: Entry[], entry: Entry): void {
  list.push(entry)
  if (list.length > maxRemembered) list.shift()
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
