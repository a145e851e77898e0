import type { ByzantineBehaviour } from './fault-schedule.js'

/** What a node does wrong on purpose now. */
export class Hostility {
  private readonly active = new Map<ByzantineBehaviour, number>()

  begin(behaviour: ByzantineBehaviour): void {
    this.active.set(behaviour, (this.active.get(behaviour) ?? 0) + 1)
  }

  end(behaviour: ByzantineBehaviour): void {
    const left = (this.active.get(behaviour) ?? 0) - 1
    if (left > 0) this.active.set(behaviour, left)
    else this.active.delete(behaviour)
  }

  does(behaviour: ByzantineBehaviour): boolean {
    return this.active.has(behaviour)
  }

  get isOn(): boolean {
    return this.active.size > 0
  }
}
