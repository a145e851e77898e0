import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { VirtualClock } from '../time/virtual-clock.js'
import { type DoorRefusal, InboundDoor, type Visitor } from './inbound-door.js'
import { defaultNetworkLimits } from './network-limits.js'
import { remoteHost } from './remote-host.js'

const limits = { ...defaultNetworkLimits, silentConnections: 4, pendingHandshakes: 3, handshakeTimeoutMs: 1_000 }

let clock: VirtualClock
let refusals: DoorRefusal[]
let door: InboundDoor
beforeEach(() => {
  clock = new VirtualClock()
  refusals = []
  door = makeDoor()
})

function makeDoor(known: readonly string[] = []): InboundDoor {
  return new InboundDoor(limits, {
    clock,
    isKnownHost: host => known.includes(host),
    onRefused: reason => refusals.push(reason),
  })
}

interface Guest extends Visitor {
  readonly turnedAway: DoorRefusal[]
}

function guest(host: string): Guest {
  const turnedAway: DoorRefusal[] = []
  return { host, turnedAway, refuse: reason => turnedAway.push(reason) }
}

/** A connection from the host that knocked and came in; null when it was not let in. */
function visit(host: string, to = door): Guest | null {
  if (!to.knock(host)) return null
  const visitor = guest(host)
  to.enter(visitor)
  return visitor
}

/** What a host does whose connections bring garbage; how many were looked at. */
function garbage(host: string, times: number, to = door): number {
  let seen = 0
  for (let i = 0; i < times; i++) {
    const visitor = visit(host, to)
    if (!visitor) continue
    seen++
    to.turnAway(visitor, 'NO_MULTISTREAM')
    to.leave(visitor)
  }
  return seen
}

describe('InboundDoor', () => {
  it('bans a host of garbage, longer each time, and nobody else', async () => {
    expect(garbage('6.6.6.6', 20)).toBe(2)
    expect(visit('6.6.6.6')).toBe(null)
    expect(refusals).toContain('HOST_BANNED')
    expect(visit('7.7.7.7')).not.toBe(null)
    await clock.advance(limits.banMs)
    expect(garbage('6.6.6.6', 20)).toBe(2)
    await clock.advance(limits.banMs)
    expect(visit('6.6.6.6')).toBe(null)
    await clock.advance(limits.banMs)
    expect(visit('6.6.6.6')).not.toBe(null)
  })

  it.each(['127.0.0.1', '::1', '10.0.0.1'])('never bans %s: loopback, or the host of a known peer', async host => {
    const to = makeDoor(['10.0.0.1'])
    expect(garbage(host, 3_000, to)).toBe(limits.knocksOfKnownPerSec * 10)
    expect(visit(host, to)).toBe(null)
    // Its rate is spent, and comes back.
    await clock.advance(1_000)
    expect(visit(host, to)).not.toBe(null)
  })

  it('lets silence crowd out silence, and who speaks through', async () => {
    const silent = ['1.1.1.1', '2.2.2.2', '3.3.3.3', '4.4.4.4'].map(host => visit(host)!)
    const honest = visit('5.5.5.5')!
    expect(silent[0]!.turnedAway).toEqual(['CROWDED_OUT'])
    expect(door.shake(honest)).toBe(true)
    door.shaken(honest)
    expect(door.pending).toEqual({ silent: 3, shaking: 0 })
    await clock.advance(limits.handshakeTimeoutMs)
    expect(silent[3]!.turnedAway).toEqual(['TOO_SLOW'])
    expect(honest.turnedAway).toEqual([])
    expect(door.pending).toEqual({ silent: 0, shaking: 0 })
  })

  it('holds as many encryption handshakes as it may, and gives up the oldest', () => {
    const hosts = ['1.1.1.1', '2.2.2.2', '3.3.3.3', '4.4.4.4']
    const visitors = hosts.map(host => visit(host)!)
    for (const visitor of visitors) expect(door.shake(visitor)).toBe(true)
    expect(visitors.map(visitor => visitor.turnedAway)).toEqual([['CROWDED_OUT'], [], [], []])
  })

  it('encrypts for a host, and for all strange hosts together, no faster than it may; for known ones besides', () => {
    const to = makeDoor(['10.0.0.1'])
    const shakes = (host: string, times: number) =>
      Array.from({ length: times }, () => {
        const visitor = visit(host, to)!
        const mayShake = to.shake(visitor)
        to.shaken(visitor)
        to.leave(visitor)
        return mayShake
      }).filter(Boolean).length
    expect(shakes('1.1.1.1', 40)).toBe(limits.handshakesPerHostPerSec * 10)
    let strangers = limits.handshakesPerHostPerSec * 10
    for (let i = 2; i < 200; i++) strangers += shakes(`1.1.1.${i}`, 20)
    expect(strangers).toBe((limits.handshakesOfStrangersPerSec + limits.handshakesOfNewcomersPerSec) * 10)
    expect(shakes('10.0.0.1', 200)).toBe(limits.handshakesOfKnownPerSec * 10)
  })

  it('encrypts for who comes from a new host while a few others use up what strangers have', async () => {
    const encrypts = (host: string) => {
      const visitor = visit(host)
      if (!visitor) return false
      const mayShake = door.shake(visitor)
      door.shaken(visitor)
      door.leave(visitor)
      return mayShake
    }
    const greedy = Array.from({ length: 20 }, (_, i) => `6.6.6.${i}`)
    const flood = () => greedy.reduce((count, host) => count + Number(encrypts(host)), 0)
    for (let seconds = 0; seconds < 90; seconds++) {
      for (let i = 0; i < 10; i++) flood()
      if (seconds > 10) {
        expect(flood()).toBe(0)
        expect(encrypts(`1.1.1.${seconds}`), `${seconds} s`).toBe(true)
      }
      await clock.advance(1_000)
    }
  })

  it('counts all networks of an IPv6 site as one host that encrypts', () => {
    let shaken = 0
    for (let network = 0; network < 100; network++) {
      const visitor = visit(remoteHost(`2001:db8:7:${network}::1`))!
      if (door.shake(visitor)) shaken++
      door.leave(visitor)
    }
    expect(shaken).toBe(limits.handshakesPerHostPerSec * 10)
    expect(door.shake(visit(remoteHost('2001:db8:8::1'))!)).toBe(true)
  })

  it('gives a host the rates of a known one once it is known, though it used up its own', () => {
    const known: string[] = []
    const to = makeDoor(known)
    const visits = (times: number) =>
      Array.from({ length: times }, () => visit('1.1.1.1', to)).filter(visitor => visitor !== null)
    expect(visits(1_000)).toHaveLength(limits.inboundConnectionsPerHost)
    known.push('1.1.1.1')
    expect(visits(1_000)).toHaveLength(limits.knocksOfKnownPerSec * 10)
    known.pop()
    refusals.length = 0
    expect(visits(1)).toEqual([])
    expect(refusals).toEqual(['HOST_BANNED'])
  })

  it('counts on the connections of a host that is known no more', () => {
    const known = ['1.1.1.1']
    const to = makeDoor(known)
    const visitors = Array.from({ length: limits.inboundConnectionsPerHost + 1 }, () => visit('1.1.1.1', to)!)
    known.pop()
    refusals.length = 0
    expect(visit('1.1.1.1', to)).toBe(null)
    expect(refusals).toEqual(['HOST_FULL'])
    for (const visitor of visitors.slice(-2)) to.leave(visitor)
    expect(visit('1.1.1.1', to)).not.toBe(null)
  })

  it('lets nobody in once it is closed, and sends away who waits', () => {
    const waiting = visit('1.1.1.1')!
    door.close()
    expect(waiting.turnedAway).toEqual(['CLOSED'])
    expect(door.shake(waiting)).toBe(false)
    expect(door.knock('127.0.0.1')).toBe(false)
  })

  it('has so many connections of one host at once', () => {
    const visitors = Array.from({ length: 20 }, () => visit('1.1.1.1')).filter(visitor => visitor !== null)
    expect(visitors).toHaveLength(limits.inboundConnectionsPerHost)
    door.leave(visitors[0]!)
    expect(visit('1.1.1.1')).not.toBe(null)
  })

  it('keeps its bounds and its books whatever visitors do', async () => {
    const move = fc.record({
      host: fc.nat(5).map(n => `9.9.9.${n}`),
      what: fc.constantFrom('visit', 'shake', 'shaken', 'fail', 'garbage', 'leave', 'wait'),
      which: fc.nat(9),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(move, { maxLength: 80 }), async moves => {
        clock = new VirtualClock()
        const to = makeDoor()
        const inside: Guest[] = []
        for (const { host, what, which } of moves) {
          const visitor = inside[which % Math.max(1, inside.length)]
          if (what === 'visit') {
            const come = visit(host, to)
            if (come) inside.push(come)
          } else if (what === 'wait') await clock.advance(300)
          else if (!visitor) continue
          else if (what === 'shake') to.shake(visitor)
          else if (what === 'shaken') to.shaken(visitor)
          else if (what === 'fail') to.failed(visitor)
          else if (what === 'garbage') to.turnAway(visitor, 'NO_MULTISTREAM')
          if (what === 'leave' && visitor) {
            inside.splice(inside.indexOf(visitor), 1)
            to.leave(visitor)
          }
          expect(to.pending.silent).toBeLessThanOrEqual(limits.silentConnections)
          expect(to.pending.shaking).toBeLessThanOrEqual(limits.pendingHandshakes)
        }
        for (const visitor of inside) to.leave(visitor)
        await clock.advance(limits.handshakeTimeoutMs)
        expect(to.pending).toEqual({ silent: 0, shaking: 0 })
      }),
      { seed: 4 },
    )
  })
})
