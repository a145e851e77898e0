import type { Server, Socket } from 'node:net'
import { invariant } from '../../base/primitives/invariant.js'
import type { InboundDoor, Visitor } from './inbound-door.js'
import { MultistreamNames } from './negotiation-guard.js'
import { remoteHost } from './remote-host.js'

/**
 * Stands before a libp2p TCP listener: a socket becomes a libp2p connection once it asked for Noise in multistream-select,
 * and what never does costs a socket and a few bytes.
 */
export class InboundSockets {
  private handingOver: Visitor | null = null

  constructor(private readonly door: InboundDoor) {}

  /** Takes the place of the listener's own handler of sockets. */
  standBefore(listener: object): void {
    const { server } = listener as { server?: Server }
    invariant(server && server.listenerCount('connection') === 1, 'a libp2p TCP listener has one server')
    const [take] = server.listeners('connection')
    server.removeAllListeners('connection')
    server.on('connection', (socket: Socket) => {
      const host = remoteHost(socket.remoteAddress ?? '')
      if (!this.door.knock(host)) socket.resetAndDestroy()
      else this.receive(socket, host, () => take!.call(server, socket))
    })
  }

  /** The visitor whose socket libp2p takes over in this very call. */
  visitor(): Visitor {
    invariant(this.handingOver, 'libp2p takes a socket over when it is handed over')
    return this.handingOver
  }

  private receive(socket: Socket, host: string, handOver: () => void): void {
    const { door } = this
    const visitor: Visitor = { host, refuse: () => socket.resetAndDestroy() }
    const names = new MultistreamNames(name => name === '/noise')
    const read: Buffer[] = []
    const onData = (data: Buffer) => {
      const verdict = names.read(data)
      if (verdict === 'broken') {
        door.turnAway(visitor, 'NO_MULTISTREAM')
        return
      }
      read.push(data)
      if (verdict === 'more' || !door.shake(visitor)) return
      socket.off('data', onData)
      socket.pause()
      socket.unshift(Buffer.concat(read))
      this.handingOver = visitor
      handOver()
      this.handingOver = null
      socket.resume()
    }
    // Stays: a socket that was reset before libp2p listens to it would stop the node.
    socket.on('error', () => socket.destroy())
    socket.on('data', onData)
    socket.once('close', () => door.leave(visitor))
    door.enter(visitor)
  }
}
