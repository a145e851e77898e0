import { InvariantError } from '../../base/primitives/invariant.js'
import { NetworkError } from './network-error.js'

const header = '/multistream/1.0.0'
const newline = 0x0a
/** libp2p's own limit for a protocol name, so that its length takes two bytes at most. */
const maxNameLength = 1_024
/** Proposals that an honest dialer never comes near: it offers one encryption, or one protocol a stream. */
const maxNames = 16

/**
 * Follows the names that one side says in multistream-select (libp2p spec, connections), across the pieces in which
 * they come. libp2p's own reader takes a length that never ends byte by byte, at microseconds each, as long as bytes come.
 */
export class MultistreamNames {
  private piece: Uint8Array = new Uint8Array(0)
  private names = 0
  constructor(private readonly isAgreeable: (protocol: string) => boolean) {}

  /** 'agreed' once such a protocol was named: the bytes after it are no longer multistream's. */
  read(data: Uint8Array): 'more' | 'agreed' | 'broken' {
    let rest = this.piece.length === 0 ? data : Buffer.concat([this.piece, data])
    while (rest.length > 0) {
      const long = rest[0]! > 0x7f
      if (long && rest.length === 1) break
      if (long && rest[1]! > 0x7f) return 'broken'
      const start = long ? 2 : 1
      const length = long ? (rest[0]! & 0x7f) | (rest[1]! << 7) : rest[0]!
      if (length === 0 || length > maxNameLength) return 'broken'
      // What is there of the header must be right: who sends anything else is not waited for.
      if (this.names === 0 && !startsHeader(rest.subarray(start), length)) return 'broken'
      if (rest.length < start + length) break
      const name = rest.subarray(start, start + length)
      if (name[length - 1] !== newline || ++this.names > maxNames) return 'broken'
      const text = Buffer.from(name).toString('latin1').trimEnd()
      if (this.names > 1 && this.isAgreeable(text)) return 'agreed'
      rest = rest.subarray(start + length)
    }
    this.piece = Uint8Array.from(rest)
    return 'more'
  }
}

function startsHeader(bytes: Uint8Array, length: number): boolean {
  if (length !== header.length + 1) return false
  const seen = Buffer.from(bytes.subarray(0, header.length)).toString('latin1')
  return header.startsWith(seen)
}

/** What takes up bytes in libp2p: a connection, a stream. `subarray` gives them in one piece. */
export interface GuardedSource {
  onData(data: { subarray(): Uint8Array }): void
  abort(error: Error): void
}

/** Passes on what a peer sends until it named an agreeable protocol; hangs up on who does not speak multistream-select. */
export function guardNegotiation(
  source: object,
  {
    isAgreeable,
    onAgreed,
    onBroken,
  }: { isAgreeable: (protocol: string) => boolean; onAgreed?: () => void; onBroken?: () => void },
): void {
  const guarded = source as GuardedSource
  if (typeof guarded.onData !== 'function') throw new InvariantError('a libp2p connection takes data by onData')
  const takeUp = guarded.onData
  const names = new MultistreamNames(isAgreeable)
  guarded.onData = data => {
    const verdict = names.read(data.subarray())
    if (verdict === 'broken') {
      onBroken?.()
      guarded.abort(new NetworkError('BAD_NEGOTIATION', 'the peer does not speak multistream-select'))
      return
    }
    if (verdict === 'agreed') guarded.onData = takeUp
    takeUp.call(guarded, data)
    if (verdict === 'agreed') onAgreed?.()
  }
}
