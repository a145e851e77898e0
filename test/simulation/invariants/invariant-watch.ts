import type { CommittedBlock } from '../../../src/services/chain/chain.js'
import type { SeenSignature } from '../../fixtures/watched-signer.js'
import type { SimulatedNode } from '../simulated-node.js'

/** A broken invariant, in words that name the culprits. */
export interface Violation {
  readonly invariant: string
  readonly detail: string
  /** Virtual ms since the start. */
  readonly atMs: number
}

/** One property that must hold after every event. What a faulty node commits or reports does not count. */
export interface Invariant {
  readonly name: string
  onCommitted?(node: SimulatedNode, committed: CommittedBlock): void
  onSigned?(node: SimulatedNode, signed: SeenSignature): void
  onLogged?(node: SimulatedNode, message: string, fields: Readonly<Record<string, unknown>>): void
  onGaveUp?(node: SimulatedNode, error: unknown): void
  /** At the end of the run, when everything is quiet. */
  atEnd?(): Promise<void>
}

/** Says that an invariant is broken; the run ends. */
export type Violate = (detail: string) => void
