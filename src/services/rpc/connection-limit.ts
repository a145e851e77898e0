import type { Server, Socket } from 'node:net'
import { callerHost } from './caller-host.js'
import { hostWithMost } from './host-with-most.js'

/**
 * Turns away a connection of a host that has `ofHost` open; loopback may have any number. When `inAll` are open, the oldest of the
 * host with most gives way to one of a host that has fewer.
 */
export function limitConnections(
  server: Pick<Server, 'on'>,
  { inAll, ofHost }: { readonly inAll: number; readonly ofHost: number },
): void {
  const open = new Map<string | null, Set<Socket>>()
  let count = 0
  const makeRoom = (host: string | null): boolean => {
    const most = hostWithMost(
      [...open].map(([other, sockets]) => [other, sockets.size]),
      { host, wants: 1 },
    )
    if (most === null) return false
    const [oldest] = open.get(most)!
    forget(most, oldest!)
    oldest!.destroy()
    return true
  }
  const forget = (host: string | null, socket: Socket) => {
    const sockets = open.get(host)
    if (!sockets?.delete(socket)) return
    count--
    if (sockets.size === 0) open.delete(host)
  }
  server.on('connection', socket => {
    const host = callerHost(socket.remoteAddress ?? '')
    const own = open.get(host) ?? new Set()
    if ((host !== null && own.size >= ofHost) || (count >= inAll && !makeRoom(host))) {
      socket.destroy()
      return
    }
    open.set(host, own.add(socket))
    count++
    socket.once('close', () => forget(host, socket))
  })
}
