import type { Socket } from 'node:net'
import { invariant } from '../../base/primitives/invariant.js'

/** What is needed of a TCP connection of js-libp2p. */
interface TcpConnection {
  readonly socket: Socket
  sendData(data: Chunks): { sentBytes: number; canSendMore: boolean }
}

interface Chunks {
  readonly byteLength: number
  subarray(): Uint8Array
}

/**
 * Makes a TCP connection write what one turn of the event loop sends in one system call and, where it fits, one packet.
 * js-libp2p writes every piece of every frame by itself, and wakes the peer for each.
 */
export function gatherWrites(connection: object): void {
  const tcp = connection as TcpConnection
  invariant(typeof tcp.sendData === 'function' && tcp.socket, 'a libp2p TCP connection has a socket')
  const { socket } = tcp
  let corked = false
  tcp.sendData = data => {
    if (!corked) {
      corked = true
      socket.cork()
      process.nextTick(() => {
        corked = false
        socket.uncork()
      })
    }
    return { sentBytes: data.byteLength, canSendMore: socket.write(data.subarray()) }
  }
}
