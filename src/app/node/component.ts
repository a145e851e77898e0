import { InvariantError } from '../../base/primitives/invariant.js'
import { MorphismError } from '../../base/primitives/morphism-error.js'
import type { Logger } from '../../io/telemetry/logger.js'
import type { Clock } from '../../io/time/clock.js'

/** Parts of a node that consensus can do without for a moment. */
export type ComponentName = 'rpc' | 'submitter' | 'batcher'

/** `waiting`: it failed, and is started again after a pause. */
export type ComponentState = 'starting' | 'running' | 'stopping' | 'waiting' | 'stopped'

/** What a component is doing, as operators see it. */
export interface ComponentStatus {
  readonly name: ComponentName
  readonly state: ComponentState
  /** Since when it is in this state, in milliseconds of Unix time. */
  readonly sinceMs: number
  /** Starts after the first. */
  readonly restarts: number
  readonly lastError: string | null
}

/** How a part is made, again and again, and how it is ended. */
export interface Recipe<Part> {
  /** `failed` says that the part can no longer do its work; it may be called until `stop` resolves. */
  start(failed: (error: unknown) => void): Promise<Part>
  /** Resolves when nothing of the part is under way. `isForGood`: none takes its place. */
  stop(part: Part, isForGood: boolean): PromiseLike<void>
}

export interface ComponentPorts {
  readonly clock: Clock
  readonly logger: Logger
  /** A broken invariant stops the node. */
  readonly fail: (error: unknown) => void
}

/** A component does not run: COMPONENT_NOT_RUNNING. */
export class ComponentError extends MorphismError {
  override readonly name = 'ComponentError'
}

/** Pauses before a component that failed is started again: doubled each time. */
const firstPauseMs = 1_000
const longestPauseMs = 60_000

/**
 * A place for one part of a running node, which can be stopped and made anew while the others go on; they ask for the part
 * that runs now. One that fails is made anew after a pause. Starts and stops are one after the other.
 */
export class Component<Part extends object> {
  private part: Part | null = null
  private state: ComponentState = 'stopped'
  private sinceMs: number
  private starts = 0
  private failures = 0
  private lastError: string | null = null
  private turn: Promise<unknown> = Promise.resolve()
  /** The restart that has not begun: whoever asks meanwhile shares it. */
  private next: Promise<void> | null = null
  private isDisposed = false
  private cancelRetry: () => void = () => {}

  constructor(
    readonly name: ComponentName,
    private readonly recipe: Recipe<Part>,
    private readonly ports: ComponentPorts,
  ) {
    this.sinceMs = ports.clock.nowMs()
  }

  /** The part that runs, or null while there is none. */
  current(): Part | null {
    return this.state === 'running' ? this.part : null
  }

  status(): ComponentStatus {
    const { name, state, sinceMs, starts, lastError } = this
    return { name, state, sinceMs, restarts: Math.max(0, starts - 1), lastError }
  }

  /** The first start. @throws what the recipe throws: then nothing runs and nothing is tried again */
  start(): Promise<void> {
    return this.inTurn(() => this.begin())
  }

  /** Stops the part and makes a new one. @throws what the recipe throws: then it is tried again after a pause */
  restart(): Promise<void> {
    this.next ??= this.inTurn(async () => {
      this.next = null
      await this.replace()
    })
    return this.next
  }

  /** What the task gives of the part; `otherwise` while there is none. A task that throws does not cost its caller more than that. */
  use<Value>(task: (part: Part) => Value, otherwise: Value): Value {
    const part = this.current()
    if (part === null) return otherwise
    try {
      return task(part)
    } catch (error) {
      this.onFailure(part, error)
      return otherwise
    }
  }

  /** Stops the part for good. */
  dispose(): Promise<void> {
    this.isDisposed = true
    this.cancelRetry()
    return this.inTurn(() => this.end(true))
  }

  private inTurn(task: () => Promise<void>): Promise<void> {
    const done = this.turn.then(task)
    this.turn = done.catch(() => undefined)
    return done
  }

  private async replace(): Promise<void> {
    if (this.isDisposed)
      throw new ComponentError('COMPONENT_NOT_RUNNING', `the node stops, and with it the ${this.name}`)
    this.cancelRetry()
    await this.end(false)
    try {
      await this.begin()
      this.ports.logger.info('a component was restarted', { component: this.name })
    } catch (error) {
      this.startLater(error)
      throw error
    }
  }

  private async begin(): Promise<void> {
    this.enter('starting')
    const early: unknown[] = []
    let made: Part | null = null
    try {
      made = await this.recipe.start(error => {
        if (made === null) early.push(error)
        else this.onFailure(made, error)
      })
    } catch (error) {
      this.enter('stopped')
      throw error
    }
    this.part = made
    this.starts++
    this.enter('running')
    if (early.length > 0) this.onFailure(made, early[0])
  }

  private async end(isForGood: boolean): Promise<void> {
    const { part } = this
    if (part !== null) {
      this.enter('stopping')
      this.part = null
      try {
        await this.recipe.stop(part, isForGood)
      } catch (error) {
        this.ports.logger.error('a component did not stop cleanly', { component: this.name, error })
      }
    }
    this.enter('stopped')
  }

  /** The part that runs cannot go on: it is ended, and another made after a pause. */
  private onFailure(part: Part, error: unknown): void {
    if (this.part !== part || this.state !== 'running' || this.isDisposed) return
    if (error instanceof InvariantError) return this.ports.fail(error)
    if (this.ports.clock.nowMs() - this.sinceMs >= longestPauseMs) this.failures = 0
    this.enter('stopping')
    void this.inTurn(async () => {
      if (this.part !== part) return
      await this.end(false)
      this.startLater(error)
    })
  }

  private startLater(error: unknown): void {
    if (this.isDisposed) return
    if (error instanceof InvariantError) return this.ports.fail(error)
    const { clock, logger } = this.ports
    const pauseMs = Math.min(firstPauseMs * 2 ** Math.min(this.failures++, 16), longestPauseMs)
    this.lastError = error instanceof Error ? error.message : String(error)
    this.enter('waiting')
    logger.error('a component failed: it is started again after a pause', { component: this.name, pauseMs, error })
    this.cancelRetry = clock.schedule(pauseMs, () => void this.restart().catch(() => undefined))
  }

  private enter(state: ComponentState): void {
    if (state === this.state) return
    this.state = state
    this.sinceMs = this.ports.clock.nowMs()
  }
}
