import { isLoopback, remoteHost, siteOf } from '../../io/network/remote-host.js'

/** The host of a socket's address as callers are counted: an IPv6 host is its site, which many a provider gives to anybody. */
export const hostOf = (remote: string): string => siteOf(remoteHost(remote))

/** The same; null on loopback, where a reverse proxy brings everybody's. */
export function callerHost(remote: string): string | null {
  const host = hostOf(remote)
  return isLoopback(host) ? null : host
}
