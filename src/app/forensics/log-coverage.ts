import type { Height } from '../../base/primitives/quantities.js'
import type { ForensicFile } from './forensic-file.js'

/** Why the files do not show all that honest members logged at some heights, in spite of `--complete`. */
export interface CoverageGap {
  /** Null when no consensus log is given at all. */
  readonly file: string | null
  /** What keeps the file from covering them, as the rest of a sentence about it. */
  readonly reason: string
  /** Ascending. */
  readonly heights: readonly Height[]
}

/**
 * What keeps these heights from being judged as complete: nothing when every log provably holds all that its node logged
 * there. Records come in the order of heights, and a log is emptied only before the first record of a height; so it holds
 * whole the heights from its first up to, but without, its last, which may have gone on.
 */
export function coverageGaps(files: readonly ForensicFile[], heights: readonly Height[]): CoverageGap[] {
  const logs = files.filter(({ kind }) => kind === 'wal')
  if (heights.length === 0) return []
  if (logs.length === 0) return [{ file: null, reason: 'no consensus log is given', heights }]
  return logs.flatMap(log => {
    const { file } = log
    if (!log.heights) return [{ file, reason: 'holds no record', heights }]
    const [first, last] = log.heights
    const before = { file, reason: `begins at height ${first}`, heights: heights.filter(height => height < first) }
    const after = { file, reason: endOf(log, last), heights: heights.filter(height => height >= last) }
    return [before, after].filter(gap => gap.heights.length > 0)
  })
}

function endOf({ corruptAt }: ForensicFile, last: Height): string {
  return corruptAt === null
    ? `ends at height ${last}, which may have gone on`
    : `is corrupt at byte ${corruptAt}, at or after height ${last}`
}
