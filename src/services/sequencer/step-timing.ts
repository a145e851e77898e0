import type { Histogram, Metrics } from '../../io/telemetry/metrics.js'
import type { Clock } from '../../io/time/clock.js'
import type { ConsensusState } from '../../rules/consensus/core.js'

type Step = 'propose' | 'prevote' | 'precommit'

/** How long the steps of each height take: from what starts the clock to the own prevote, to the precommit, to the decision. */
export class StepTiming {
  private readonly histograms: Readonly<Record<Step, Histogram>>
  private step: Step | null = null
  private sinceMs = 0

  constructor(
    private readonly clock: Clock,
    metrics: Metrics,
  ) {
    const histogram = (step: Step, help: string) =>
      metrics.histogram(`morphism_consensus_${step}_step_seconds`, `Time from ${help}`)
    this.histograms = {
      propose: histogram('propose', 'the start of a round to the own prevote'),
      prevote: histogram('prevote', 'the own prevote to the own precommit'),
      precommit: histogram('precommit', 'the own precommit to the decision or the next round'),
    }
  }

  startHeight(): void {
    this.step = null
  }

  /** Looks where the core stands after an input. */
  look(state: Pick<ConsensusState, 'step' | 'waiting' | 'decided'> | null): void {
    const now = state === null || state.waiting || state.decided ? null : state.step
    if (now === this.step) return
    const atMs = this.clock.nowMs()
    if (this.step) this.histograms[this.step].observe((atMs - this.sinceMs) / 1_000)
    this.step = now
    this.sinceMs = atMs
  }
}
