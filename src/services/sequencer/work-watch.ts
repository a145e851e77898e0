import type { Height } from '../../base/primitives/quantities.js'
import type { ProtocolParameters } from '../../base/protocol/protocol-parameters.js'
import type { Clock } from '../../io/time/clock.js'
import type { WorkSource } from './application.js'

/**
 * Says once a height when its block is due: at once when there is work, but not before minBlockIntervalMs since the
 * parent; without work after emptyBlockIntervalMs (protocol.md section 2).
 */
export class WorkWatch {
  private height: Height = 0
  private notBeforeMs = 0
  private due = true
  private cancelEarliest: () => void = () => {}
  private cancelEmpty: () => void = () => {}

  constructor(
    private readonly args: {
      readonly clock: Clock
      readonly work: WorkSource
      readonly onWork: (height: Height) => void
    },
  ) {
    args.work.onWork(() => this.look())
  }

  startHeight({
    height,
    parentTimestampMs,
    parameters,
  }: {
    height: Height
    parentTimestampMs: number
    parameters: Pick<ProtocolParameters, 'minBlockIntervalMs' | 'emptyBlockIntervalMs'>
  }): void {
    const { clock } = this.args
    this.stop()
    this.height = height
    this.due = false
    this.notBeforeMs = parentTimestampMs + parameters.minBlockIntervalMs
    const emptyInMs = parentTimestampMs + parameters.emptyBlockIntervalMs - clock.nowMs()
    this.cancelEmpty = clock.schedule(Math.max(0, emptyInMs), () => this.announce())
    this.look()
  }

  stop(): void {
    this.due = true
    this.cancelEarliest()
    this.cancelEmpty()
  }

  private look(): void {
    const { clock, work } = this.args
    if (this.due) return
    const earlyMs = this.notBeforeMs - clock.nowMs()
    if (earlyMs <= 0) {
      if (work.hasWork()) this.announce()
      return
    }
    // Timers may fire a millisecond before their time, and work that waits already is not told of again.
    this.cancelEarliest()
    this.cancelEarliest = clock.schedule(earlyMs, () => this.look())
  }

  private announce(): void {
    if (this.due) return
    this.stop()
    this.args.onWork(this.height)
  }
}
