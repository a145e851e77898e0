import { once } from 'node:events'
import { connect } from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../time/system-clock.js'
import { InboundDoor } from './inbound-door.js'
import { createLibp2pNode, type Libp2pNode, nodePeerId } from './libp2p-node.js'
import { defaultNetworkLimits } from './network-limits.js'
import type { PeerId } from './peer-network.js'

const limits = { ...defaultNetworkLimits, handshakeTimeoutMs: 500 }
const seed = (n: number) => new Uint8Array(32).fill(n)
const opening = Buffer.from('\x13/multistream/1.0.0\n\x07/noise\n')

/** A door that tells which of its visitors' encryptions were an offence. */
class WatchedDoor extends InboundDoor {
  readonly ends: ('shaken' | 'failed')[] = []
  override shaken(visitor: Parameters<InboundDoor['shaken']>[0]) {
    this.ends.push('shaken')
    super.shaken(visitor)
  }
  override failed(visitor: Parameters<InboundDoor['failed']>[0]) {
    this.ends.push('failed')
    super.failed(visitor)
  }
}

describe('createLibp2pNode: an encryption that fails', () => {
  let door: WatchedDoor
  let node: Libp2pNode
  let banned: PeerId
  const nodes: Libp2pNode[] = []
  afterEach(async () => {
    for (const one of nodes.splice(0)) await one.stop()
  })
  const newDoor = () => new WatchedDoor(limits, { clock: systemClock, isKnownHost: () => false, onRefused: () => {} })
  async function start(n: number, at: InboundDoor): Promise<Libp2pNode> {
    const started = await createLibp2pNode({
      nodeKey: seed(n),
      listen: { host: '127.0.0.1', port: 0 },
      limits,
      clock: systemClock,
      door: at,
      isProtocol: () => true,
      refuses: peer => peer === banned,
    })
    nodes.push(started)
    await started.start()
    return started
  }
  beforeEach(async () => {
    banned = (await nodePeerId(seed(2))).id
    door = newDoor()
    node = await start(1, door)
  })
  const address = () => node.getMultiaddrs()[0]!.toString()
  const end = () => expect.poll(() => door.ends)

  it('is no offence of the host of a banned peer', async () => {
    const peer = await start(2, newDoor())
    await peer.dial(multiaddr(address())).catch(() => {})
    await end().toEqual(['shaken'])
  })

  it.each([
    ['an offence where it is no Noise', Buffer.from([0, 32, ...Buffer.alloc(32), 0, 1, 1]), 'failed'],
    ['no offence where the time passed', Buffer.alloc(0), 'shaken'],
  ])('is %s', async (_, bytes, expected) => {
    const socket = connect(Number(address().split('/')[4]), '127.0.0.1').on('error', () => {})
    await once(socket, 'connect')
    socket.resume().write(Buffer.concat([opening, bytes]))
    await end().toEqual([expected])
    socket.destroy()
  })
})
