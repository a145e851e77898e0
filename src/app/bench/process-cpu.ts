import { readFileSync } from 'node:fs'

/** Kernel clock ticks a second (USER_HZ, fixed at 100 on Linux). */
const ticksPerSecond = 100

/** CPU seconds that a process has used so far, user and system, all threads (Linux: /proc/<pid>/stat); 0 where it is gone. */
export function processCpuSec(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name in parentheses may hold spaces: fields are counted behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
  } catch {
    return 0
  }
}
