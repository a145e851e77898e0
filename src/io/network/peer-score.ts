/**
 * How bad a misbehaviour is. `light`: stale, duplicate, unasked or too much; counted. `heavy`: no honest node sends this,
 * but a bug may; disconnected and counted. `grave`: forged; banned at once. `foreign`: of another network or version;
 * refused for a while without a mark, since it may be right tomorrow.
 */
export type Severity = 'light' | 'heavy' | 'grave' | 'foreign'

/** Points of each misbehaviour; `banThreshold` of them are a ban. */
export const severityPoints: Readonly<Record<Severity, number>> = { light: 5, heavy: 60, grave: 100, foreign: 0 }
export const banThreshold = 100

export interface ScorePolicy {
  /** Points that a peer is forgiven each second. */
  readonly decayPerSec: number
  /** The first ban; each further one lasts twice as long, up to `maxBanMs`. */
  readonly banMs: number
  readonly maxBanMs: number
  /** Peers of which anything is remembered. */
  readonly capacity: number
}

/** Decays the heaviest non-banning offence in a minute. */
export const defaultScorePolicy: Omit<ScorePolicy, 'banMs'> = { decayPerSec: 1, maxBanMs: 600_000, capacity: 4_096 }

interface Mark {
  points: number
  atMs: number
  bans: number
  bannedUntilMs: number
}

/**
 * Scores of peers (or of addresses), and the bans that follow from them. Deterministic in what it is told, bounded in
 * memory: when it is full it forgets first who is not banned and was quiet longest.
 */
export class PeerScores {
  private readonly marks = new Map<string, Mark>()
  constructor(private readonly policy: ScorePolicy) {}

  /** Counts a misbehaviour. Returns for how long it bans, 0 when it does not. */
  record(id: string, severity: Severity, nowMs: number): number {
    const { banMs, maxBanMs } = this.policy
    const mark = this.take(id, nowMs)
    if (severity === 'foreign') return this.ban(mark, banMs, nowMs)
    mark.points += severityPoints[severity]
    if (mark.points < banThreshold) return 0
    mark.points = 0
    return this.ban(mark, Math.min(maxBanMs, banMs * 2 ** Math.min(mark.bans++, 30)), nowMs)
  }

  isBanned(id: string, nowMs: number): boolean {
    return (this.marks.get(id)?.bannedUntilMs ?? 0) > nowMs
  }

  /** Points that count now: 0 for who is unknown, below `banThreshold` always. */
  points(id: string, nowMs: number): number {
    const mark = this.marks.get(id)
    return mark ? this.decayed(mark, nowMs) : 0
  }

  get size(): number {
    return this.marks.size
  }

  /** The mark brought up to date, as the newest of all. */
  private take(id: string, nowMs: number): Mark {
    const mark = this.marks.get(id) ?? { points: 0, atMs: nowMs, bans: 0, bannedUntilMs: 0 }
    mark.points = this.decayed(mark, nowMs)
    mark.atMs = Math.max(mark.atMs, nowMs)
    // Who behaved for the longest ban's time after the last one begins anew.
    if (nowMs - mark.bannedUntilMs > this.policy.maxBanMs) mark.bans = 0
    this.marks.delete(id)
    this.marks.set(id, mark)
    if (this.marks.size > this.policy.capacity) this.forgetOne(nowMs)
    return mark
  }

  private ban(mark: Mark, forMs: number, nowMs: number): number {
    mark.bannedUntilMs = Math.max(mark.bannedUntilMs, nowMs + forMs)
    return forMs
  }

  private decayed({ points, atMs }: Mark, nowMs: number): number {
    return Math.max(0, points - (Math.max(0, nowMs - atMs) * this.policy.decayPerSec) / 1000)
  }

  private forgetOne(nowMs: number): void {
    let oldest: string | undefined
    for (const [id, mark] of this.marks) {
      oldest ??= id
      if (mark.bannedUntilMs > nowMs) continue
      oldest = id
      break
    }
    if (oldest !== undefined) this.marks.delete(oldest)
  }
}
