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
