import type { Height } from '../../base/primitives/quantities.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'
import { proposerOf } from '../../rules/consensus/proposer-rotation.js'
import type { ProtocolSchedule } from '../../rules/upgrades/protocol-schedule.js'
import type { Chain } from '../../services/chain/chain.js'
import type { L1Follower } from '../../services/l1-follower/l1-follower.js'
import type { HeightInProgress } from '../../services/sequencer/explain/height-in-progress.js'
import { noBlockReason, noBlockSentence } from '../../services/sequencer/explain/no-block-reason.js'
import { durationText, hashText, progressSentences } from '../../services/sequencer/explain/progress-sentences.js'
import { type NotReadyReason, notReadyToLead, notReadyWords } from '../../services/sequencer/explain/ready-to-lead.js'
import type { Syncer } from '../../services/syncer/syncer.js'

/** What an explanation is read from. */
export interface ExplainParts {
  readonly protocol: ProtocolSchedule
  readonly chain: Pick<Chain, 'height' | 'certificateAt' | 'head' | 'versionHalt'>
  readonly syncer: Pick<Syncer, 'bestKnownHeight'>
  readonly follower: Pick<L1Follower, 'health' | 'head'>
  readonly sets: { setAt(height: Height): SequencerSet }
  readonly clock: { nowMs(): number }
  /** Null on a node that does not take part in consensus. */
  readonly progress: () => HeightInProgress | null
}

/** What keeps the node from leading a round; none: it is ready. */
export function notReadyReasons({ chain, syncer, follower, progress }: ExplainParts): NotReadyReason[] {
  return notReadyToLead({
    progress: progress(),
    behind: syncer.bestKnownHeight() - chain.height(),
    halt: chain.versionHalt(),
    l1: follower.health(),
  })
}

/** Why there is no block now, or how an earlier height was decided: sentences for people, and the data behind them. */
export function explainNode(parts: ExplainParts, height: Height | null): object {
  if (height !== null && height !== parts.chain.height() + 1) return explainOtherHeight(parts, height)
  const { protocol, chain, syncer, follower, clock } = parts
  const nowMs = clock.nowMs()
  const progress = parts.progress()
  const behind = syncer.bestKnownHeight() - chain.height()
  const { parameters, version } = protocol.at(chain.height() + 1)
  const facts = { progress, behind, halt: chain.versionHalt(), parameters }
  const reason = noBlockReason(facts)
  const notReady = notReadyReasons(parts)
  const health = follower.health()
  const l1 = {
    head: follower.head()?.number ?? null,
    behind: health.behind,
    lastSuccessAgeMs: health.lastSuccessMs === null ? null : Math.max(0, nowMs - health.lastSuccessMs),
    error: health.error,
    origin: chain.head().context.l1OriginNumber,
  }
  return {
    reason,
    sentences: [
      noBlockSentence(reason, facts),
      ...(progress ? progressSentences(progress) : []),
      behind > 0 ? `Peers have proved ${behind} more blocks.` : 'No peer has proved a later block.',
      l1Sentence(l1),
      ...upgradeSentences(parts),
      notReady.length === 0
        ? 'It is ready to lead.'
        : `It is not ready to lead: ${notReady.map(name => notReadyWords[name]).join('; ')}.`,
      ...(progress ? refusalSentences(progress) : []),
    ],
    height: chain.height() + 1,
    protocolVersion: version,
    upgrade: nextUpgrade(parts),
    readyToLead: notReady.length === 0,
    notReadyToLead: notReady,
    sync: { height: chain.height(), bestKnownHeight: chain.height() + behind },
    l1,
    inProgress: progress && withAges(progress),
  }
}

/** The next scheduled upgrade after the head, and whether this node's software knows its version; null when there is none. */
export function nextUpgrade({ chain, protocol }: Pick<ExplainParts, 'chain' | 'protocol'>): {
  readonly version: number
  readonly activationHeight: Height
  readonly known: boolean
} | null {
  const next = protocol.nextAfter(chain.height())
  if (!next) return null
  const { version, activationHeight } = next
  return { version, activationHeight, known: version <= protocol.latestKnown }
}

function upgradeSentences(parts: Pick<ExplainParts, 'chain' | 'protocol'>): string[] {
  const upgrade = nextUpgrade(parts)
  if (!upgrade) return []
  const { version, activationHeight, known } = upgrade
  const left = activationHeight - parts.chain.height()
  const when = left === 1 ? 'at this height' : `in ${left} blocks, at height ${activationHeight}`
  const todo = known
    ? left === 1
      ? ': members that were not upgraded take no part from here on'
      : ''
    : ': this node must be upgraded before, its software does not know it'
  return [`Protocol version ${version} activates ${when}${todo}.`]
}

/** Refusals that are told in sentences; the data holds all that are remembered. */
const refusalsShown = 5

function refusalSentences({ refusedProposals, refusedSignatures, nowMs }: HeightInProgress): string[] {
  return [
    ...refusedProposals
      .slice(-refusalsShown)
      .map(
        ({ height, round, proposer, blockHash, reason, detail, atMs }) =>
          `${durationText(nowMs - atMs)} ago it refused block ${hashText(blockHash)} of member ${proposer} at height ${height}, round ${round}: ${reason}, ${detail}.`,
      ),
    ...refusedSignatures
      .slice(-refusalsShown)
      .map(
        ({ height, round, kind, code, atMs }) =>
          `${durationText(nowMs - atMs)} ago its signer ${code === 'SIGNER_UNAVAILABLE' ? 'did not answer for' : 'refused'} a ${kind} at height ${height}, round ${round}: ${code}.`,
      ),
  ]
}

function l1Sentence({
  head,
  behind,
  lastSuccessAgeMs,
  error,
}: {
  head: number | null
  behind: number
  lastSuccessAgeMs: number | null
  error: string | null
}): string {
  if (lastSuccessAgeMs === null) return `L1 was never reached${error ? `: ${error}` : ''}.`
  const failing = error ? `, and it fails now: ${error}` : ''
  return `L1 is followed to block ${head ?? 'none'}, ${behind} behind, looked at ${durationText(lastSuccessAgeMs)} ago${failing}.`
}

/** Ages instead of clock times: they mean the same to every reader. */
function withAges(progress: HeightInProgress): object {
  const { nowMs, heightSinceMs, roundSinceMs, stepSinceMs, members, nextTimeout, busy, work, ...rest } = progress
  const age = (atMs: number) => Math.max(0, nowMs - atMs)
  const aged = <Entry extends { readonly atMs: number }>({ atMs, ...entry }: Entry) => ({ ...entry, ageMs: age(atMs) })
  return {
    ...rest,
    heightAgeMs: age(heightSinceMs),
    roundAgeMs: age(roundSinceMs),
    stepAgeMs: age(stepSinceMs),
    members: members.map(({ lastHeardMs, ...member }) => ({
      ...member,
      lastHeardAgeMs: lastHeardMs === null ? null : age(lastHeardMs),
    })),
    nextTimeout: nextTimeout && { step: nextTimeout.step, dueInMs: Math.max(0, nextTimeout.dueMs - nowMs) },
    busy: busy && { task: busy.task, ageMs: age(busy.sinceMs) },
    work: {
      waits: work.waits,
      notBeforeInMs: Math.max(0, work.notBeforeMs - nowMs),
      emptyBlockDueInMs: Math.max(0, work.emptyBlockDueMs - nowMs),
    },
    refusedProposals: rest.refusedProposals.map(aged),
    refusedSignatures: rest.refusedSignatures.map(aged),
  }
}

/** How a height was decided, by its certificate; or that it has not begun. */
function explainOtherHeight({ chain, sets }: ExplainParts, height: Height): object {
  const certificate = height > 0 && height <= chain.height() ? chain.certificateAt(height) : null
  if (!certificate) {
    const where = height > chain.height() ? 'has not begun at this node' : 'has no certificate at this node'
    return { reason: null, height, sentences: [`Height ${height} ${where}.`] }
  }
  const set = sets.setAt(height)
  const { round, absent, blockHash } = certificate
  const missing = set.members.map(({ index }) => index).filter(index => (absent >> BigInt(index)) & 1n)
  const signed = set.members.length - missing.length
  const proposer = proposerOf(set, height, round)
  return {
    reason: null,
    height,
    round,
    blockHash,
    proposer,
    absent: missing,
    sentences: [
      `Height ${height} was decided in round ${round}: block ${blockHash}, proposed by member ${proposer}.`,
      `Its certificate holds the precommits of ${signed} of ${set.members.length} members${missing.length > 0 ? `; it came about without ${missing.join(', ')}` : ''}.`,
    ],
  }
}
