import type { MemoryL1 } from '../../src/io/l1/memory-l1.js'
import type { Clock } from '../../src/io/time/clock.js'
import type { FaultEvent } from './fault-schedule.js'
import type { SimulatedNode } from './simulated-node.js'
import type { SimulatedWires } from './simulated-wires.js'
import type { Trace } from './trace.js'

/** Lets the faults of a schedule strike when their time comes, and mends what they broke when it is over. */
export class FaultInjector {
  constructor(
    private readonly world: {
      readonly time: Clock
      readonly nodes: readonly SimulatedNode[]
      readonly wires: SimulatedWires
      readonly l1: MemoryL1
      readonly trace: Trace
    },
  ) {}

  /** To be called at the start of the run. */
  plan(events: readonly FaultEvent[]): void {
    for (const event of events) {
      this.world.time.schedule(event.atMs, () => {
        this.world.trace.add(`${this.world.time.nowMs()} ${JSON.stringify(event)}`)
        const mend = this.strike(event)
        if (mend && 'forMs' in event) this.world.time.schedule(event.forMs, mend)
      })
    }
  }

  /** Does it; what it returns undoes it. */
  private strike(event: FaultEvent): (() => void) | null {
    const { wires, l1 } = this.world
    const add = (to: Map<string, number>, key: string, ms: number) => to.set(key, (to.get(key) ?? 0) + ms)
    switch (event.kind) {
      case 'delay': {
        const { wires: from } = this.node(event.node)
        add(wires.extraMs, from, event.ms)
        return () => add(wires.extraMs, from, -event.ms)
      }
      case 'loss':
        wires.lossProbability += event.probability
        return () => {
          wires.lossProbability = Math.max(0, wires.lossProbability - event.probability)
        }
      case 'duplication':
        wires.duplicationProbability += event.probability
        return () => {
          wires.duplicationProbability = Math.max(0, wires.duplicationProbability - event.probability)
        }
      case 'reordering':
        wires.reorderingProbability += event.probability
        return () => {
          wires.reorderingProbability = Math.max(0, wires.reorderingProbability - event.probability)
        }
      case 'partition':
        return this.partition(event.side)
      case 'one-way':
        wires.block(event.from, event.to, 1)
        return () => wires.block(event.from, event.to, -1)
      case 'hidden-decision':
        wires.hidden.push(event)
        return () => {
          wires.hidden.splice(wires.hidden.indexOf(event), 1)
        }
      case 'crash':
        return this.crash(event)
      case 'upgrade': {
        const { simulated } = this.node(event.node)
        simulated.crash({ power: false, torn: 0 })
        simulated.upgrade()
        return () => simulated.release()
      }
      case 'l1-reorg':
        l1.reorg({ depth: Math.min(event.depth, l1.head.number - 1), requeue: true })
        return null
      default:
        return this.strikeMachine(event)
    }
  }

  private strikeMachine(event: FaultEvent): (() => void) | null {
    switch (event.kind) {
      case 'slow-disk': {
        const { disk } = this.node(event.node).simulated
        disk.syncMs += event.ms
        return () => {
          disk.syncMs -= event.ms
        }
      }
      case 'disk-full': {
        const { disk } = this.node(event.node).simulated
        disk.isFull = true
        return () => {
          disk.isFull = false
        }
      }
      case 'clock-skew': {
        const { clock } = this.node(event.node).simulated
        clock.skewMs += event.ms
        return () => {
          clock.skewMs -= event.ms
        }
      }
      case 'restart': {
        const { services } = this.node(event.node).simulated
        const component = event.component === 'batcher' ? services?.batcher.component : services?.submitter
        // What does not start again is tried again by itself.
        component?.restart().catch(() => undefined)
        return null
      }
      case 'l1-down': {
        const { l1 } = this.node(event.node).simulated
        l1.isDown = true
        return () => {
          l1.isDown = false
        }
      }
      case 'l1-lag': {
        const { l1 } = this.node(event.node).simulated
        l1.lagBlocks += event.blocks
        return () => {
          l1.lagBlocks -= event.blocks
        }
      }
      case 'byzantine': {
        const { hostility } = this.node(event.node).simulated
        hostility.begin(event.behaviour)
        return () => hostility.end(event.behaviour)
      }
      default:
        return null
    }
  }

  private partition(side: readonly number[]): () => void {
    const { wires, nodes } = this.world
    const across = nodes.flatMap(({ index }) =>
      side.includes(index) ? [] : side.map((other): [number, number] => [index, other]),
    )
    for (const [a, b] of across) wires.sever(a, b, 1)
    return () => {
      for (const [a, b] of across) wires.sever(a, b, -1)
    }
  }

  private crash({ nodes, power, torn, logLost }: Extract<FaultEvent, { kind: 'crash' }>): () => void {
    const crashed = nodes.map(index => this.node(index).simulated)
    for (const node of crashed) {
      node.crash({ power, torn })
      if (logLost) node.disk.wal.delete()
    }
    return () => {
      for (const node of crashed) node.release()
    }
  }

  private node(index: number): { simulated: SimulatedNode; wires: string } {
    const simulated = this.world.nodes[index]
    if (!simulated) throw new RangeError(`the schedule names node ${index}, which is not there`)
    return { simulated, wires: `node-${index}` }
  }
}
