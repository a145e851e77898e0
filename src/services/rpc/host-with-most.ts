/**
 * The host that has most, to give way to one that wants so much: null when that one would have as much then. Loopback (null) has
 * no share of its own, and does not give way.
 */
export function hostWithMost(
  held: Iterable<readonly [host: string | null, amount: number]>,
  newcomer: { readonly host: string | null; readonly wants: number },
): string | null {
  const sums = new Map<string, number>()
  for (const [host, amount] of held) if (host !== null) sums.set(host, (sums.get(host) ?? 0) + amount)
  const own = newcomer.host === null ? 0 : (sums.get(newcomer.host) ?? 0)
  let most: { host: string | null; sum: number } = { host: null, sum: own + newcomer.wants }
  for (const [host, sum] of sums) if (sum > most.sum) most = { host, sum }
  return most.host
}
