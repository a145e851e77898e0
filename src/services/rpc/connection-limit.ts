import type { Server } from 'node:net'
import { isLoopback, remoteHost } from '../../io/network/remote-host.js'

/** Turns away a connection of a host that has `max` open; loopback may have any number. */
export function limitConnectionsPerHost(server: Pick<Server, 'on'>, max: number): void {
  const open = new Map<string, number>()
  server.on('connection', socket => {
    const host = remoteHost(socket.remoteAddress ?? '')
    if (isLoopback(host)) return
    const count = open.get(host) ?? 0
    if (count >= max) {
      socket.destroy()
      return
    }
    open.set(host, count + 1)
    socket.once('close', () => {
      const left = open.get(host)! - 1
      if (left > 0) open.set(host, left)
      else open.delete(host)
    })
  })
}
