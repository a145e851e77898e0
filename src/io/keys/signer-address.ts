import { RemoteSignerError } from './remote-signer-error.js'

/** Where a signer process listens: a Unix socket, or TCP on this machine alone. */
export type SignerAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }

/** Reads `unix:/path/to/socket` or `tcp://127.0.0.1:port`. @throws RemoteSignerError SIGNER_ADDRESS */
export function parseSignerAddress(text: string): SignerAddress {
  const socket = /^unix:(?:\/\/)?(\/.+)$/.exec(text)?.[1]
  if (socket) return { kind: 'unix', path: socket }
  const tcp = /^(?:tcp:\/\/)?(127\.0\.0\.1|localhost|\[::1\]):(\d{1,5})$/.exec(text)
  if (tcp && Number(tcp[2]) <= 65_535)
    return { kind: 'tcp', host: tcp[1]!.replace(/[[\]]/g, '').replace('localhost', '127.0.0.1'), port: Number(tcp[2]) }
  const message = `${text} is no address of a signer: it is unix:/path or tcp://127.0.0.1:port (the link is not encrypted, so it stays on one machine)`
  throw new RemoteSignerError('SIGNER_ADDRESS', message)
}

/** The address as parseSignerAddress reads it. */
export function showSignerAddress(address: SignerAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`
  return `tcp://${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`
}
