import { aggregateSignatures } from '../../base/crypto/bls.js'
import type { BlockHash } from '../../base/primitives/hashes.js'
import type { Height, MemberIndex } from '../../base/primitives/quantities.js'
import type { ConsensusMessage } from '../../base/protocol/consensus-message.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import { type Vote, type VoteStep, voteDigest } from '../../base/protocol/vote.js'
import type { SignatureVerifier } from '../../io/keys/signature-verifier.js'
import type { PeerId } from '../../io/network/peer-network.js'
import { asVerified, type Verified } from '../../rules/consensus/verified.js'

/** How long the votes of the others are waited for after the first. */
const windowMs = 10
/** Values of one member in one step that are passed on: two are evidence, more are noise. */
const maxValues = 2

interface Gathered {
  readonly vote: Vote
  /** Null for this node's own. */
  readonly from: PeerId | null
}

export interface VoteAggregatorPorts {
  readonly verifier: Pick<SignatureVerifier, 'verify'>
  readonly domain: SigningDomain
  /** Runs the task later, unless the height ends before. */
  readonly later: (delayMs: number, task: () => void) => void
  readonly broadcast: (message: ConsensusMessage) => void
  /** Relayed votes of the height in progress that hold. */
  readonly onVerified: (votes: Verified<Vote>[]) => void
  readonly onForged: (vote: Vote, from: PeerId) => void
  readonly onFailure: (error: unknown) => void
}

/**
 * Gathers the votes that near members ask this node to pass on, checks those for one thing together, and sends everybody
 * one aggregate in their place.
 */
export class VoteAggregator {
  private height: Height = 0
  private set: SequencerSet = { setId: 0, members: [], totalPower: 0n }
  /** Votes that wait for others, by `round/step/value`. */
  private readonly gathering = new Map<string, Map<MemberIndex, Gathered>>()
  /** Values that each member had passed on, by `round/step/member`. */
  private readonly taken = new Map<string, Set<BlockHash>>()

  constructor(private readonly ports: VoteAggregatorPorts) {}

  startHeight(height: Height, set: SequencerSet): void {
    // Whoever decides later than this node may need them.
    for (const [key, votes] of [...this.gathering]) this.send(key, votes)
    this.height = height
    this.set = set
    this.taken.clear()
  }

  /** Takes a vote of the height; sends the aggregate once so many are there, or the window is over. */
  take({ vote, from }: Gathered, expected: number): void {
    const { member, blockHash } = vote
    if (!this.set.members[member] || !this.isNew(vote)) return
    const key = `${placeOf(vote)}/${blockHash}`
    let votes = this.gathering.get(key)
    if (!votes) {
      votes = new Map()
      this.gathering.set(key, votes)
      const opened = votes
      this.ports.later(windowMs, () => {
        if (this.gathering.get(key) === opened) this.send(key, opened)
      })
    }
    votes.set(member, { vote, from })
    if (votes.size >= expected) this.send(key, votes)
  }

  private isNew(vote: Vote): boolean {
    const place = `${placeOf(vote)}/${vote.member}`
    const values = this.taken.get(place) ?? new Set<BlockHash>()
    if (values.has(vote.blockHash) || values.size >= maxValues) return false
    this.taken.set(place, values.add(vote.blockHash))
    return true
  }

  private send(key: string, votes: ReadonlyMap<MemberIndex, Gathered>): void {
    this.gathering.delete(key)
    this.check([...votes.values()]).catch(this.ports.onFailure)
  }

  private async check(gathered: readonly Gathered[]): Promise<void> {
    const { ports, set, height } = this
    const relayed = gathered.filter(({ from }) => from !== null)
    const verdicts = await ports.verifier.verify({
      digest: voteDigest(ports.domain, gathered[0]!.vote),
      signed: relayed.map(({ vote }) => ({ keys: [set.members[vote.member]!.publicKey], signature: vote.signature })),
    })
    relayed.forEach(({ vote, from }, i) => {
      if (!verdicts[i]) ports.onForged(vote, from!)
    })
    const valid = relayed.filter((_, i) => verdicts[i]).map(({ vote }) => asVerified(vote))
    const own = gathered.filter(({ from }) => from === null).map(({ vote }) => vote)
    // Others may need them even if this node decided meanwhile.
    this.publish([...own, ...valid].sort((a, b) => a.member - b.member))
    if (valid.length > 0 && height === this.height) ports.onVerified(valid)
  }

  private publish(votes: readonly Vote[]): void {
    if (votes.length === 0) return
    if (votes.length === 1) return this.ports.broadcast({ kind: 'votes', votes })
    const signature = aggregateSignatures(votes.map(vote => vote.signature))
    this.ports.broadcast({ kind: 'aggregate', aggregate: { votes, signature } })
  }
}

const placeOf = ({ round, step }: { round: number; step: VoteStep }): string => `${round}/${step}`
