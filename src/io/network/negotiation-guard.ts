import { InvariantError } from '../../base/primitives/invariant.js'
import { NetworkError } from './network-error.js'

/** What a libp2p connection is, as far as a guard needs it. */
export interface GuardedConnection {
  /** Takes up what came from the socket. */
  onData(data: Uint8Array): void
  abort(error: Error): void
}

const header = '/multistream/1.0.0'
const newline = 0x0a
/** libp2p's own limit for a protocol name, so that its length takes two bytes at most. */
const maxNameLength = 1_024
/** Proposals that an honest dialer never comes near: it offers one encryption. */
const maxNames = 16

/**
 * Hangs up on who does not speak multistream-select before an encryption is agreed (libp2p spec, connections). libp2p's
 * own reader takes a length that never ends byte by byte, at microseconds each, for as long as bytes come.
 */
export function guardNegotiation(connection: object, protocol: string): void {
  const guarded = connection as GuardedConnection
  if (typeof guarded.onData !== 'function') throw new InvariantError('a libp2p connection takes data by onData')
  const takeUp = guarded.onData
  const names = new MultistreamNames()
  guarded.onData = data => {
    const verdict = names.read(data, protocol)
    if (verdict === 'broken') {
      guarded.abort(new NetworkError('BAD_NEGOTIATION', 'the peer does not speak multistream-select'))
      return
    }
    if (verdict === 'agreed') guarded.onData = takeUp
    takeUp.call(guarded, data)
  }
}

/** Follows the names that a dialer proposes, across the pieces in which they come. */
export class MultistreamNames {
  private piece: Uint8Array = new Uint8Array(0)
  private names = 0

  /** 'agreed' once the protocol was named: the bytes after it are no longer multistream's. */
  read(data: Uint8Array, protocol: string): 'more' | 'agreed' | 'broken' {
    let rest = this.piece.length === 0 ? data : Buffer.concat([this.piece, data])
    while (rest.length > 0) {
      const long = rest[0]! > 0x7f
      if (long && rest.length === 1) break
      if (long && rest[1]! > 0x7f) return 'broken'
      const start = long ? 2 : 1
      const length = long ? (rest[0]! & 0x7f) | (rest[1]! << 7) : rest[0]!
      if (length === 0 || length > maxNameLength) return 'broken'
      if (rest.length < start + length) break
      const name = rest.subarray(start, start + length)
      if (name[length - 1] !== newline || ++this.names > maxNames) return 'broken'
      const text = Buffer.from(name).toString('latin1').trimEnd()
      if (this.names === 1 && text !== header) return 'broken'
      if (text === protocol) return 'agreed'
      rest = rest.subarray(start + length)
    }
    this.piece = Uint8Array.from(rest)
    return 'more'
  }
}
