import { isIP } from 'node:net'

/**
 * Whether a request of this Host header is answered, as by geth's `--http.vhosts`: one by IP address or without a host always is.
 * A page whose own name was made to lead here (DNS rebinding) cannot send one.
 */
export function isVirtualHostAllowed(header: string | undefined, allowed: readonly string[]): boolean {
  const name = (header ?? '').replace(/:\d*$/, '').toLowerCase()
  return name === '' || allowed.includes('*') || allowed.includes(name) || isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0
}
