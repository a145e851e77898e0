/** Module hooks of a simulation's worker (Node's `module.register`): the BLS twin stands in for the real library. */
export async function resolve(
  specifier: string,
  context: { readonly parentURL?: string },
  next: (specifier: string, context: object) => Promise<{ url: string }>,
): Promise<{ url: string }> {
  const found = await next(specifier, context)
  if (!found.url.endsWith('/src/base/crypto/bls.js')) return found
  return { ...found, url: new URL('bls-twin.js', import.meta.url).href }
}
