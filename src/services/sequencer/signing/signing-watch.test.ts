import { beforeEach, describe, expect, it } from 'vitest'
import { attestationDigest } from '../../../base/protocol/batch-attestation.js'
import { precommit, prevote, type Vote, voteDigest } from '../../../base/protocol/vote.js'
import type { ConsensusSigner, Observation } from '../../../io/keys/consensus-signer.js'
import { GuardedSigner } from '../../../io/keys/guarded-signer.js'
import { MemorySigningRecord } from '../../../io/keys/memory-signing-record.js'
import { resume } from '../../../io/keys/signing-rules.js'
import { type Logger, silentLogger } from '../../../io/telemetry/logger.js'
import { VirtualClock } from '../../../io/time/virtual-clock.js'
import { domain, keys, set } from '../../../rules/blocks/blocks.fixture.js'
import { SigningWatch } from './signing-watch.js'

const self = 3
const hash = (n: number) => `0x${n.toString(16).padStart(64, '0')}` as const
const content = (height: number, { round = 0, step = prevote as Vote['step'], value = 1 } = {}) => ({
  height,
  round,
  step,
  blockHash: hash(value),
})
const certificate = (height: number, { absent = 0n, value = 1, round = 0 } = {}) => ({
  height,
  round,
  blockHash: hash(value),
  setId: set.setId,
  absent,
  signature: new Uint8Array(96),
})
const withoutSelf = 1n << BigInt(self)

let clock: VirtualClock
/** By how much the clock that the node reads has jumped. */
let jumpedMs: number
let record: MemorySigningRecord
let connected: number[]
let height: number
let best: number
let certified: number
let errors: string[]
let speaksForKey: boolean
let watch: SigningWatch
const logger: Logger = { ...silentLogger, error: message => errors.push(message.split(':')[0]!) }

const guarded = () => new GuardedSigner({ secretKey: keys[self]!, domain, record })

function start(signer: ConsensusSigner = guarded()): void {
  watch = new SigningWatch({
    signer,
    sets: { setAt: () => set },
    network: {
      peers: () => connected.map(i => ({ id: `peer-${i}`, consensusKey: keys[i]!.publicKey() })),
      speakForKey: speaks => {
        speaksForKey = speaks
      },
    },
    height: () => height,
    bestKnownHeight: () => Math.max(best, height),
    latestCertifiedBatch: () => certified,
    clock: {
      nowMs: () => clock.nowMs() + jumpedMs,
      schedule: (delayMs, task) => clock.schedule(delayMs, task),
      soon: task => clock.soon(task),
    },
    logger,
  })
}

beforeEach(() => {
  clock = new VirtualClock(1_000_000)
  jumpedMs = 0
  isReachable = true
  record = new MemorySigningRecord()
  connected = [0, 1]
  height = 10
  best = 10
  certified = 0
  errors = []
  speaksForKey = true
  start()
})

/** Whether the signer in another process answers. */
let isReachable: boolean

/** Starts with a signer in another process; resolves with what starts that one again, with the record as it is then. */
async function startRemote(): Promise<() => void> {
  let current = guarded()
  await watch.close()
  start({
    publicKey: current.publicKey,
    get isReachable() {
      return isReachable
    },
    get instanceId() {
      return current.instanceId
    },
    get stop() {
      return current.stop
    },
    signProposal: content => current.signProposal(content),
    signVote: content => current.signVote(content),
    signAttestation: content => current.signAttestation(content),
    signNodeBinding: peerId => current.signNodeBinding(peerId),
    observe: message => current.observe(message),
    raiseFloor: height => current.raiseFloor(height),
    close: () => current.close(),
  })
  return () => {
    current = guarded()
  }
}

/** Asks for a vote; the outcome is told when there is one. */
function ask(what: ReturnType<typeof content>): { outcome: string } {
  const asked = { outcome: 'held' }
  watch.signVote(what).then(
    () => {
      asked.outcome = 'signed'
    },
    error => {
      asked.outcome = error.code
    },
  )
  return asked
}

/** Shows a vote that its key signed. */
function show(what: ReturnType<typeof content>): Promise<Observation> {
  return watch.observe({ kind: 'vote', content: what, signature: keys[self]!.sign(voteDigest(domain, what)) })
}

function showAttestation(batchIndex: number): Promise<Observation> {
  const attested = { batchIndex, batchHash: hash(batchIndex) }
  const signature = keys[self]!.sign(attestationDigest(domain, attested))
  return watch.observe({ kind: 'attestation', content: attested, signature })
}

function decide(at: number, options: Parameters<typeof certificate>[1] = {}): void {
  height = at
  watch.onCertificate(certificate(at, options))
}

describe('before the first signature', () => {
  it('listens for a while, then signs in order and holds nothing back any more', async () => {
    const [first, second] = [ask(content(11)), ask(content(11, { step: precommit }))]
    expect(watch.state()).toBe('listening')
    await clock.advance(600)
    expect(first.outcome).toBe('held')
    await clock.advance(400)
    expect([first.outcome, second.outcome]).toEqual(['signed', 'signed'])
    const third = ask(content(12))
    await clock.advance(0)
    expect(third.outcome).toBe('signed')
    expect(watch.state()).toBe('active')
  })

  it('waits until a quorum is connected', async () => {
    connected = [0]
    const asked = ask(content(11))
    await clock.advance(60_000)
    expect(asked.outcome).toBe('held')
    connected = [0, 2]
    await clock.advance(1_000)
    expect(asked.outcome).toBe('signed')
  })

  it('listens anew when the quorum was gone: what was signed meanwhile was not heard', async () => {
    const asked = ask(content(11))
    await clock.advance(450)
    connected = [0]
    await clock.advance(600_000)
    best = 1_000
    connected = [0, 2]
    await clock.advance(60_000)
    expect(asked.outcome).toBe('held')
    decide(1_000)
    await clock.advance(100)
    expect(asked.outcome).toBe('BELOW_RECORD')
    const next = ask(content(1_001))
    await clock.advance(450)
    expect(next.outcome).toBe('held')
    await clock.advance(600)
    expect(next.outcome).toBe('signed')
  })

  it('does not begin while its signer is away, and listens anew when that one is back: it judges what is heard', async () => {
    await startRemote()
    const asked = ask(content(11))
    await clock.advance(450)
    isReachable = false
    await clock.advance(60_000)
    expect([asked.outcome, watch.state()]).toEqual(['held', 'signer-away'])
    isReachable = true
    await clock.advance(450)
    expect([asked.outcome, watch.state()]).toEqual(['held', 'listening'])
    await clock.advance(600)
    expect(asked.outcome).toBe('signed')
  })

  it('counts heights without its key anew when the quorum was gone', async () => {
    await clock.advance(300)
    for (const at of [11, 12, 13]) decide(at, { absent: withoutSelf })
    connected = [0]
    await clock.advance(100)
    connected = [0, 2]
    const asked = ask(content(15))
    await clock.advance(300)
    decide(14, { absent: withoutSelf })
    await clock.advance(100)
    expect(asked.outcome).toBe('held')
  })

  it('catches up first, and signs nothing of heights that are decided', async () => {
    best = 50
    const asked = ask(content(11))
    await clock.advance(60_000)
    expect(asked.outcome).toBe('held')
    for (let at = 11; at <= 50; at++) decide(at)
    await clock.advance(1_000)
    expect(asked.outcome).toBe('BELOW_RECORD')
    // The record was behind, and heights that are decided only raise it.
    expect(record.load()).toMatchObject({ floor: 50, stop: null })
    expect(errors).toEqual([])
    const next = ask(content(51))
    await clock.advance(1_000)
    expect(next.outcome).toBe('signed')
  })

  it('listens on while heights are decided without it, up to four of them without its key', async () => {
    await clock.advance(1_000)
    for (let at = 11; at <= 14; at++) {
      const asked = ask(content(at))
      await clock.advance(200)
      expect(asked.outcome).toBe('held')
      decide(at, { absent: withoutSelf })
      await clock.advance(100)
      expect(asked.outcome).toBe('BELOW_RECORD')
    }
    expect(watch.state()).toBe('active')
  })

  it('does not count time in which nothing was due: another instance would have been silent too', async () => {
    const early = ask(content(11))
    best = 12
    await clock.advance(200)
    decide(11)
    decide(12)
    await clock.advance(10_000)
    expect([early.outcome, watch.state()]).toEqual(['BELOW_RECORD', 'listening'])
  })

  it('does not wait for ever for a head that nobody proves', async () => {
    best = 11
    const asked = ask(content(11))
    await clock.advance(9_000)
    expect(asked.outcome).toBe('held')
    await clock.advance(3_000)
    expect(asked.outcome).toBe('signed')
  })

  it('stops when a block is decided with its key meanwhile: another instance is at work', async () => {
    await clock.advance(5_000)
    const asked = ask(content(11))
    await clock.advance(100)
    decide(11)
    await clock.advance(100)
    const next = ask(content(12))
    await clock.advance(2_000)
    expect([asked.outcome, next.outcome]).toEqual(['BELOW_RECORD', 'SIGNING_STOPPED'])
    expect(watch.state()).toBe('SIGNING_RECORD_BEHIND')
    expect(errors).toEqual(['SIGNING_RECORD_BEHIND'])
  })

  it('knows that another instance is at work when the vote is of a height that began after its start', async () => {
    await clock.advance(1_000)
    decide(11, { absent: withoutSelf })
    decide(12)
    await clock.advance(100)
    expect(watch.state()).toBe('KEY_IN_USE_ELSEWHERE')
  })

  it('is not stopped by what its key signed for heights and batches that are decided, whoever shows it', async () => {
    height = 0
    best = 5_000
    const [early, later] = [show(content(1)), show(content(700))]
    await clock.advance(1_000)
    decide(5_000)
    await clock.advance(100)
    certified = 40
    const seen = await Promise.all([early, later, show(content(4_999)), showAttestation(40)])
    expect(seen).toEqual(['expected', 'expected', 'expected', 'expected'])
    expect([watch.state(), errors]).toEqual(['listening', []])
    expect(await showAttestation(41)).toBe('stopped')
  })

  it('stops at a vote of its key at the height in progress, and stays stopped after a restart', async () => {
    const asked = ask(content(11))
    await clock.advance(100)
    const seen = show(content(11, { value: 2 }))
    await clock.advance(300)
    expect(await seen).toBe('stopped')
    expect(asked.outcome).toBe('SIGNING_STOPPED')
    start()
    const again = ask(content(20))
    await clock.advance(100)
    expect(again.outcome).toBe('SIGNING_STOPPED')
    expect(errors).toEqual(['SIGNING_RECORD_BEHIND', 'SIGNING_RECORD_BEHIND'])
  })

  it('leaves the place of its key among the peers to whoever signs with it, once it has stopped and after a restart', async () => {
    await clock.advance(1_000)
    expect(speaksForKey).toBe(true)
    await show(content(11, { value: 2 }))
    expect([watch.state(), speaksForKey]).toEqual(['SIGNING_RECORD_BEHIND', false])
    await watch.close()
    speaksForKey = true
    start()
    expect(speaksForKey).toBe(false)
  })
})

describe('while it signs', () => {
  beforeEach(async () => {
    const first = ask(content(11, { step: precommit }))
    await clock.advance(1_000)
    expect(first.outcome).toBe('signed')
  })

  it('goes on when its own votes are in certificates, or when it is absent', async () => {
    decide(11)
    decide(12, { absent: withoutSelf })
    for (let at = 13; at < 20; at++) {
      await watch.signVote(content(at, { step: precommit }))
      await watch.signVote(content(at, { round: 1, step: precommit, value: 2 }))
      // The block of an earlier round is decided: this node's earlier precommit is in its certificate.
      decide(at)
      await clock.advance(10)
    }
    expect([watch.state(), errors]).toEqual(['active', []])
  })

  it('listens as after a start when its clock has jumped: the machine may have gone on from a snapshot', async () => {
    await clock.advance(10_000)
    const usual = ask(content(height + 1, { round: 1 }))
    await clock.advance(0)
    expect(usual.outcome).toBe('signed')
    jumpedMs = 60_000
    const after = ask(content(height + 1, { round: 2 }))
    await clock.advance(400)
    expect([after.outcome, watch.state()]).toEqual(['held', 'listening'])
    await clock.advance(600)
    expect(after.outcome).toBe('signed')
  })

  it('listens as after a start when its signer was started again and resumes', async () => {
    const restart = await startRemote()
    const seen = show(content(11, { round: 3, value: 2 }))
    await clock.advance(300)
    expect([await seen, speaksForKey]).toEqual(['stopped', false])
    await record.save(resume(record.load()))
    restart()
    decide(11)
    const asked = ask(content(12))
    await clock.advance(600)
    expect([asked.outcome, watch.state(), speaksForKey]).toEqual(['held', 'listening', true])
    await clock.advance(400)
    expect([asked.outcome, watch.state()]).toEqual(['signed', 'active'])
  })

  it('listens as after a start when its signer was started again, perhaps with a record that was put back', async () => {
    const restart = await startRemote()
    await clock.advance(10_000)
    const before = ask(content(height + 1, { round: 1 }))
    await clock.advance(1_000)
    record = new MemorySigningRecord()
    restart()
    const other = ask(content(height + 1, { round: 1, value: 2 }))
    await clock.advance(100)
    expect([before.outcome, other.outcome, watch.state()]).toEqual(['signed', 'held', 'listening'])
    const seen = show(content(height + 1, { round: 1 }))
    await clock.advance(300)
    expect([await seen, watch.state()]).toEqual(['stopped', 'SIGNING_RECORD_BEHIND'])
    await clock.advance(1_000)
    expect(other.outcome).toBe('SIGNING_STOPPED')
  })

  it('listens from the beginning when its signer was started again meanwhile', async () => {
    const restart = await startRemote()
    const asked = ask(content(height + 1, { round: 1 }))
    await clock.advance(700)
    restart()
    await clock.advance(700)
    expect(asked.outcome).toBe('held')
    await clock.advance(300)
    expect(asked.outcome).toBe('signed')
  })

  it('stops when a certificate holds a precommit that it did not sign', async () => {
    decide(12)
    await clock.advance(10)
    expect(watch.state()).toBe('KEY_IN_USE_ELSEWHERE')
    await expect(watch.signVote(content(13))).rejects.toMatchObject({ code: 'SIGNING_STOPPED' })
    expect(errors).toEqual(['KEY_IN_USE_ELSEWHERE'])
  })

  it('stops when a certificate of its own position holds another block', async () => {
    decide(11, { value: 2 })
    await clock.advance(10)
    expect(watch.state()).toBe('KEY_IN_USE_ELSEWHERE')
  })
})
