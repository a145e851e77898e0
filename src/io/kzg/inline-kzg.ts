import type { Kzg } from './kzg.js'
import { loadNativeKzg, type NativeKzg } from './native-kzg.js'

/** KZG on the calling thread, loaded at the first call: for tools and tests. */
export function createInlineKzg(): Kzg {
  let loaded: NativeKzg | undefined
  const kzg = () => {
    loaded ??= loadNativeKzg()
    return loaded
  }
  return {
    commitment: async blob => kzg().commitment(blob),
    cellProofs: async blob => kzg().cellProofs(blob),
    close: async () => {},
  }
}
