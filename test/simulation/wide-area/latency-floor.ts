/**
 * The least time from a proposal to its decision that the latencies of a full mesh allow two voting steps: what nodes
 * without any processing time would need. Milliseconds at the median node, mean over all proposers.
 */
export function latencyFloorMs({
  members,
  quorum,
  oneWayMs,
}: {
  members: number
  /** Members that a decision needs. */
  quorum: number
  oneWayMs: (from: number, to: number) => number
}): number {
  const all = Array.from({ length: members }, (_, i) => i)
  const quorumAt = (sentMs: readonly number[], to: number) =>
    all.map(from => sentMs[from]! + (from === to ? 0 : oneWayMs(from, to))).sort((a, b) => a - b)[quorum - 1]!
  const ofProposer = (proposer: number) => {
    const prevoted = all.map(i => (i === proposer ? 0 : oneWayMs(proposer, i)))
    const precommitted = all.map(i => Math.max(prevoted[i]!, quorumAt(prevoted, i)))
    return median(all.map(i => quorumAt(precommitted, i)))
  }
  return mean(all.map(ofProposer))
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted.length % 2 === 1
    ? sorted[(sorted.length - 1) / 2]!
    : (sorted[sorted.length / 2 - 1]! + sorted[sorted.length / 2]!) / 2
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
