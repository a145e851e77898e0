import { setPriority } from 'node:os'

/** Niceness of work that nobody waits for: blocks, votes and answers go first. */
export const backgroundNiceness = 10

/** Lowers the priority of the calling thread alone, on Linux, where niceness is a thread's own; else does nothing. */
export function lowerThreadPriority(niceness: number): void {
  // Elsewhere it would slow the whole process.
  if (process.platform === 'linux') setPriority(niceness)
}
