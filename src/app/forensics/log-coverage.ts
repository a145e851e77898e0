import type { Height } from '../../base/primitives/quantities.js'
import { isMark, type WalMark, type WalRecord } from '../../services/sequencer/wal/wal-record.js'
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
 * The heights at which a log holds all that its node logged. Records come in the order of heights, and another log is begun only
 * before the first record of a height. A run of the node holds whole the heights after the one at which it first signed: what a run logs
 * while it catches up says nothing of what an earlier one, whose log was lost, had seen there. The run ends with the height
 * that the next run goes on with, or before the last height of the log, which may have gone on.
 */
export class LogCoverage {
  /** Of the run, the first height that it holds whole. */
  private from: Height | null = null
  /** Heights of earlier runs, both ends included. */
  private readonly covered: (readonly [Height, Height])[] = []
  private latest: Height | null = null

  /** The height of the newest record; null when there is none. */
  get last(): Height | null {
    return this.latest
  }

  /** Takes the next record. */
  add(entry: WalRecord | WalMark): void {
    const { height } = entry
    if (isMark(entry) && entry.mark === 'signs') this.from ??= this.latest === null ? height : height + 1
    if (isMark(entry) && entry.mark === 'opened') this.endRun(height)
    // No node writes so: whatever this is, what came before may be missing.
    else if (this.latest !== null && height < this.latest) this.endRun(0)
    this.latest = height
  }

  /** What comes next is of the file that took the place of the last one: what lies between them may be in one that is not there. */
  turned(next: Height): void {
    if (this.latest !== null && next > this.latest + 1) this.endRun(0)
  }

  /** Whether it holds this height whole. */
  covers(height: Height): boolean {
    const isInRun = this.from !== null && height >= this.from && height < this.latest!
    return isInRun || this.covered.some(([first, last]) => height >= first && height <= last)
  }

  private endRun(next: Height): void {
    if (this.from !== null) this.covered.push([this.from, next >= this.latest! ? this.latest! : this.latest! - 1])
    this.from = null
  }
}

/** What keeps these heights from being judged as complete: nothing when every log provably holds all that its node logged there. */
export function coverageGaps(files: readonly ForensicFile[], heights: readonly Height[]): CoverageGap[] {
  const logs = files.filter(({ kind }) => kind === 'wal')
  if (heights.length === 0) return []
  if (logs.length === 0) return [{ file: null, reason: 'no consensus log is given', heights }]
  return logs.flatMap(({ file, coverage, corruptAt }) => {
    const last = coverage?.last ?? null
    if (!coverage || last === null) return [{ file, reason: 'holds no record', heights }]
    const missing = heights.filter(height => height < last && !coverage.covers(height))
    const before = { file, reason: 'does not show that its node took part then, and from the start', heights: missing }
    const after = { file, reason: endOf(corruptAt, last), heights: heights.filter(height => height >= last) }
    return [before, after].filter(gap => gap.heights.length > 0)
  })
}

function endOf(corruptAt: number | null, last: Height): string {
  return corruptAt === null
    ? `ends at height ${last}, which may have gone on`
    : `is corrupt at byte ${corruptAt}, at or after height ${last}`
}
