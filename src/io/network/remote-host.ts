/** The host of a socket's address, for counting what one host does: an IPv6 host owns its /64. */
export function remoteHost(address: string): string {
  const plain = address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
  if (!plain.includes(':') || plain === '::1') return plain
  const [head = '', tail = ''] = plain.split('::')
  const groups = head === '' ? [] : head.split(':')
  const rest = tail === '' ? [] : tail.split(':')
  const zeros = plain.includes('::') ? Array<string>(Math.max(0, 8 - groups.length - rest.length)).fill('0') : []
  return `${[...groups, ...zeros, ...rest].slice(0, 4).join(':')}::/64`
}

/** Whether a remote host is this machine. */
export function isLoopback(host: string): boolean {
  return host === '::1' || host.startsWith('127.')
}

/** The site of a remote host: who has one network of an IPv6 site (a /48, RFC 6177) may have all of them. */
export function siteOf(host: string): string {
  return host.endsWith('::/64') ? `${host.split(':').slice(0, 3).join(':')}::/48` : host
}
