import { aggregateSignatures, type BlsSignatureBytes } from '../../../base/crypto/bls.js'
import type { BlockHash } from '../../../base/primitives/hashes.js'
import type { Height, MemberIndex } from '../../../base/primitives/quantities.js'
import type { ConsensusMessage } from '../../../base/protocol/consensus-message.js'
import type { SequencerSet } from '../../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../../base/protocol/signing-domain.js'
import { type Vote, voteDigest } from '../../../base/protocol/vote.js'
import type { SignatureVerifier } from '../../../io/keys/signature-verifier.js'
import type { PeerId } from '../../../io/network/peer-network.js'
import { asVerified, type Verified } from '../../../rules/consensus/verified.js'
import { aggregatedRound } from './near-aggregator.js'

/** How long the votes of the others are waited for after the first: a large block takes its time to reach them one after the other. */
const windowMs = 30
/** Values of one member in one step that are passed on: two are evidence, more are noise. */
const maxValues = 2

interface Gathered {
  readonly vote: Vote
  /** Null for this node's own. */
  readonly from: PeerId | null
}

/** The votes of one height. */
interface HeightVotes {
  readonly set: SequencerSet
  /** Those that wait for others, by `step/value`. */
  readonly gathering: Map<string, Map<MemberIndex, Gathered>>
  /** Values that each member had passed on, by `step/member`. */
  readonly taken: Map<string, Set<BlockHash>>
}

export interface VoteAggregatorPorts {
  readonly verifier: Pick<SignatureVerifier, 'verify'>
  readonly domain: SigningDomain
  /** Runs the task later, whatever height it is then. */
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
  /** The height in progress and the one before, whose last votes still tell that their signers are up. */
  private readonly heights = new Map<Height, HeightVotes>()

  constructor(private readonly ports: VoteAggregatorPorts) {}

  startHeight(height: Height, set: SequencerSet): void {
    this.height = height
    for (const old of this.heights.keys()) if (old < height - 1) this.heights.delete(old)
    this.heights.set(height, { set, gathering: new Map(), taken: new Map() })
  }

  /** Takes a vote of the height, or of the one before; sends the aggregate once so many are there, or the window is over. */
  take({ vote, from }: Gathered, expected: number): void {
    const at = this.heights.get(vote.height)
    if (!at?.set.members[vote.member] || vote.round !== aggregatedRound || !isNew(at, vote)) return
    const key = `${vote.step}/${vote.blockHash}`
    let votes = at.gathering.get(key)
    if (!votes) {
      votes = new Map()
      at.gathering.set(key, votes)
      const opened = votes
      this.ports.later(windowMs, () => {
        if (at.gathering.get(key) === opened) this.send(at, key)
      })
    }
    votes.set(vote.member, { vote, from })
    if (votes.size >= expected) this.send(at, key)
  }

  private send({ set, gathering }: HeightVotes, key: string): void {
    const votes = [...gathering.get(key)!.values()]
    gathering.delete(key)
    this.check(votes, set).catch(this.ports.onFailure)
  }

  private async check(gathered: readonly Gathered[], set: SequencerSet): Promise<void> {
    const { ports } = this
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
    if (valid[0]?.height === this.height) ports.onVerified(valid)
  }

  private publish(votes: readonly Vote[]): void {
    if (votes.length === 0) return
    const signature = votes.length > 1 ? aggregateSignatures(votes.map(vote => vote.signature)) : null
    // A sum of valid votes is valid and needs no check, unless the secret keys add up to zero: that sum nobody takes.
    if (signature === null || isInfinity(signature)) return this.ports.broadcast({ kind: 'votes', votes })
    this.ports.broadcast({ kind: 'aggregate', aggregate: { votes, signature } })
  }
}

/** Whether a compressed signature is the point at infinity, by its flag. */
const isInfinity = (signature: BlsSignatureBytes): boolean => (signature[0]! & 0x40) !== 0

function isNew({ taken }: HeightVotes, vote: Vote): boolean {
  const place = `${vote.step}/${vote.member}`
  const values = taken.get(place) ?? new Set<BlockHash>()
  if (values.has(vote.blockHash) || values.size >= maxValues) return false
  taken.set(place, values.add(vote.blockHash))
  return true
}
