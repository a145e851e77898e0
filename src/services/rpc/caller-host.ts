import { isLoopback, remoteHost } from '../../io/network/remote-host.js'

/** The host of a socket's address as callers are counted: an IPv6 host is its /48, which many a provider gives to anybody. */
export function hostOf(remote: string): string {
  const host = remoteHost(remote)
  return host.endsWith('::/64') ? `${host.split(':').slice(0, 3).join(':')}::/48` : host
}

/** The same; null on loopback, where a reverse proxy brings everybody's. */
export function callerHost(remote: string): string | null {
  const host = hostOf(remote)
  return isLoopback(host) ? null : host
}
