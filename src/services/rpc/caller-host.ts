import { isLoopback, remoteHost } from '../../io/network/remote-host.js'

/** The host of a caller's IP address; null on loopback, where a reverse proxy brings everybody's. */
export function callerHost(remote: string): string | null {
  const host = remoteHost(remote)
  return isLoopback(host) ? null : host
}
