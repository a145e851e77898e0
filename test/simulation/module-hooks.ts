/** What a simulation's worker loads in place of modules of the network. */
export interface ModuleHooks {
  /** Real BLS12-381 and not its twin. */
  readonly realSignatures: boolean
}

const twinOfBls: readonly [string, string] = ['/src/base/crypto/bls.js', 'crypto/bls-twin.js']
/** Work that every node does alike on the same bytes is done once: each stand-in calls the module that it stands for. */
const shared: readonly (readonly [string, string])[] = [
  ['/src/base/protocol/consensus-message.js', 'shared/consensus-message.js'],
  ['/src/base/protocol/block.js', 'shared/block.js'],
  ['/src/base/protocol/vote.js', 'shared/vote.js'],
  ['/src/base/protocol/block-header.js', 'shared/block-header.js'],
  ['/src/base/protocol/block-context.js', 'shared/block-context.js'],
  ['/src/base/protocol/transaction.js', 'shared/transaction.js'],
  ['/src/services/mempool/transaction-batch.js', 'shared/transaction-batch.js'],
  ['/src/io/execution/embedded/engine/import-block.js', 'shared/import-block.js'],
]

let standIns = new Map<string, string>()

/** Node calls it with what the hooks are registered with. */
export function initialize({ realSignatures }: ModuleHooks): void {
  standIns = new Map(realSignatures ? shared : [twinOfBls, ...shared])
}

/** Module hooks of a simulation's worker (Node's `module.register`): stand-ins for modules of the network. */
export async function resolve(
  specifier: string,
  context: { readonly parentURL?: string },
  next: (specifier: string, context: object) => Promise<{ url: string }>,
): Promise<{ url: string }> {
  const found = await next(specifier, context)
  const at = found.url.lastIndexOf('/src/')
  const standIn = at < 0 ? undefined : standIns.get(found.url.slice(at))
  if (standIn === undefined) return found
  const url = new URL(standIn, import.meta.url).href
  // The stand-in itself gets what it stands for.
  return context.parentURL === url ? found : { ...found, url }
}
