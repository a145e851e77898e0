import type { BatchCertificate } from '../../base/protocol/batch-attestation.js'
import type { Block } from '../../base/protocol/block.js'
import { type Batcher, type BatcherConfig, type BatcherPorts, createBatcher } from '../../services/batcher/batcher.js'
import { Component, type ComponentPorts } from './component.js'

/** What the rest of the node uses of the batcher. */
type BatcherUse = Pick<
  Batcher,
  | 'acceptCertificate'
  | 'batch'
  | 'extension'
  | 'latest'
  | 'latestCertified'
  | 'onCertified'
  | 'onDecided'
  | 'onExtension'
>

const noExtension = new Uint8Array(0)

/**
 * The batcher as the rest of the node uses it, whichever runs now. While there is none, votes carry no attestation and no
 * batch is known; the next one reads from the chain what was decided meanwhile.
 */
export class ReplaceableBatcher implements BatcherUse {
  readonly component: Component<Batcher>
  private readonly listeners = new Set<(certificate: BatchCertificate) => void>()
  private known = { latest: 0, certified: 0 }

  constructor({ fail, ...args }: { config: BatcherConfig; ports: BatcherPorts } & Pick<ComponentPorts, 'fail'>) {
    const recipe = {
      start: async () => {
        const batcher = await createBatcher(args)
        batcher.onCertified(certificate => {
          for (const listener of this.listeners) listener(certificate)
        })
        return batcher
      },
      stop: (batcher: Batcher) => batcher[Symbol.asyncDispose](),
    }
    this.component = new Component('batcher', recipe, { ...args.ports, fail })
  }

  extension(): Uint8Array {
    return this.component.use(batcher => batcher.extension(), noExtension)
  }

  onExtension(args: Parameters<Batcher['onExtension']>[0]): void {
    this.component.use(batcher => batcher.onExtension(args), undefined)
  }

  onDecided(block: Block): void {
    this.component.use(batcher => batcher.onDecided(block), undefined)
  }

  async acceptCertificate(certificate: BatchCertificate): ReturnType<Batcher['acceptCertificate']> {
    return this.component.current()?.acceptCertificate(certificate) ?? 'known'
  }

  /** Called with each certificate that any of the batchers stores. */
  onCertified(listener: (certificate: BatchCertificate) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** As last known, while no batcher runs. */
  latest(): number {
    this.known.latest = this.component.current()?.latest() ?? this.known.latest
    return this.known.latest
  }

  /** As last known, while no batcher runs. */
  latestCertified(): number {
    this.known.certified = this.component.current()?.latestCertified() ?? this.known.certified
    return this.known.certified
  }

  async batch(index: number): ReturnType<Batcher['batch']> {
    return this.component.current()?.batch(index) ?? null
  }
}
