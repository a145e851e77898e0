import { FramedStream } from './framed-stream.js'
import {
  decodeHello,
  type Hello,
  type HelloRefusal,
  judgeHello,
  maxHelloLength,
  type NetworkIdentity,
} from './handshake.js'
import type { Connection, Stream } from './libp2p-node.js'
import type { Severity } from './peer-score.js'

export const handshakeProtocol = '/morphism/handshake/1'

/** What a handshake on one connection came to. */
export type Agreement =
  | { readonly type: 'session'; readonly hello: Hello }
  | { readonly type: 'duplicate' }
  | { readonly type: 'refused'; readonly reason: HelloRefusal | 'MALFORMED_HELLO' }

/** How bad it is to say of oneself what is refused. */
export const refusalSeverity: Readonly<Record<Extract<Agreement, { type: 'refused' }>['reason'], Severity>> = {
  WRONG_VERSION: 'foreign',
  WRONG_NETWORK: 'foreign',
  MALFORMED_HELLO: 'heavy',
  BAD_BINDING: 'grave',
}

const accepted = Uint8Array.of(1)

/**
 * Leads the handshake (`inbound` null) or follows it. The leader says hello, the follower answers hello, the leader says
 * that this connection is the one: since one side decides, two connections opened at once never become two sessions.
 * @throws the signal's reason or NetworkError when the peer does not hold the conversation
 */
export async function agreeOnSession({
  connection,
  inbound,
  hello,
  network,
  signal,
  isDuplicate,
}: {
  connection: Connection
  inbound: Stream | null
  hello: Uint8Array
  network: NetworkIdentity
  signal: AbortSignal
  isDuplicate: () => boolean
}): Promise<Agreement> {
  const stream = inbound ?? (await connection.newStream(handshakeProtocol, { signal }))
  const conversation = new FramedStream(stream, maxHelloLength)
  // Both say hello even to a stranger, so that both logs name the reason.
  await conversation.write(hello, signal)
  const judged = judge(await conversation.read(signal), { network, peerId: connection.remotePeer.toMultihash().bytes })
  if (judged.type !== 'session') return judged
  if (inbound) await conversation.read(signal)
  else if (isDuplicate()) return { type: 'duplicate' }
  else await conversation.write(accepted, signal)
  return judged
}

function judge(bytes: Uint8Array, context: { network: NetworkIdentity; peerId: Uint8Array }): Agreement {
  try {
    const judged = judgeHello(decodeHello(bytes), context)
    return judged.ok ? { type: 'session', hello: judged.value } : { type: 'refused', reason: judged.error }
  } catch {
    return { type: 'refused', reason: 'MALFORMED_HELLO' }
  }
}
