import { concatBytes } from '../../base/primitives/bytes.js'
import { FramedStream } from './framed-stream.js'
import type { Stream } from './libp2p-node.js'
import { NetworkError } from './network-error.js'
import { maxAnswerBytes, maxRequestBytes } from './network-limits.js'
import type { Peer, RequestKind } from './peer-network.js'
import type { PeerSession } from './peer-session.js'

/** An answer's first byte. */
const answered = 0
const refused = 1

/** Protocol of a kind of requests: one stream, one question, one answer. */
export const requestProtocol = (kind: RequestKind): string => `/morphism/${kind}/1`

/** Asks a peer. @throws NetworkError REQUEST_TIMEOUT, REQUEST_REFUSED, REQUEST_ABORTED, PEER_GONE */
export async function ask({
  session,
  kind,
  body,
  timeoutMs,
  signal,
}: {
  session: PeerSession
  kind: RequestKind
  body: Uint8Array
  timeoutMs: number
  signal: AbortSignal | undefined
}): Promise<Uint8Array> {
  const timeout = AbortSignal.timeout(timeoutMs)
  const any = AbortSignal.any([timeout, session.signal, ...(signal ? [signal] : [])])
  let stream: Stream | undefined
  try {
    stream = await session.connection.newStream(requestProtocol(kind), { signal: any })
    const conversation = new FramedStream(stream, 1 + maxAnswerBytes)
    await conversation.write(body, any)
    const answer = await conversation.read(any)
    if (answer[0] !== answered) throw new NetworkError('REQUEST_REFUSED', `the peer refused to answer ${kind}`)
    await stream.close({ signal: any })
    return answer.subarray(1)
  } catch (error) {
    stream?.abort(error as Error)
    const data = { kind, peer: session.peer.id }
    const cause = { cause: error }
    if (session.signal.aborted)
      throw new NetworkError('PEER_GONE', `the peer left before it answered ${kind}`, data, cause)
    if (signal?.aborted) throw new NetworkError('REQUEST_ABORTED', `the request ${kind} was given up`, data, cause)
    if (timeout.aborted)
      throw new NetworkError('REQUEST_TIMEOUT', `no answer to ${kind} in ${timeoutMs} ms`, data, cause)
    throw new NetworkError('REQUEST_REFUSED', `the peer refused to answer ${kind}`, data, cause)
  }
}

/** Serves one request; `answer` is called once the whole question is here, and null refuses it. Resolves when the answer is on its way or the time is over. */
export async function serve({
  stream,
  peer,
  timeoutMs,
  answer,
}: {
  stream: Stream
  peer: Peer
  timeoutMs: number
  answer: (from: Peer, body: Uint8Array) => Promise<Uint8Array | null>
}): Promise<void> {
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    const conversation = new FramedStream(stream, maxRequestBytes)
    const body = await conversation.read(signal)
    const content = await answer(peer, body)
    const isFitting = content && content.length <= maxAnswerBytes
    const reply = isFitting ? concatBytes(Uint8Array.of(answered), content) : Uint8Array.of(refused)
    await conversation.write(reply, signal)
    await stream.close({ signal })
  } catch (error) {
    stream.abort(error as Error)
    throw error
  }
}
