/** The least quorum of `endpoints`. */
export function majorityOf(endpoints: number): number {
  return Math.floor(endpoints / 2) + 1
}

/** Whether two quorums of this size always share an endpoint, and there are enough endpoints for one. */
export function isQuorum(quorum: number, endpoints: number): boolean {
  return Number.isInteger(quorum) && 2 * quorum > endpoints && quorum <= endpoints
}
