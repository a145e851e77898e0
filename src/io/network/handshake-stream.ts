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
import type { AdmissionRefusal } from './session-admission.js'

export const handshakeProtocol = '/morphism/handshake/1'

/** What a handshake on one connection came to. */
export type Agreement =
  | { readonly type: 'session'; readonly hello: Hello }
  /** One of the two has no session for the other on this connection. */
  | { readonly type: 'none' }
  | { readonly type: 'refused'; readonly reason: HelloRefusal | 'MALFORMED_HELLO' }

/** How bad it is to say of oneself what is refused. */
export const refusalSeverity: Readonly<Record<Extract<Agreement, { type: 'refused' }>['reason'], Severity>> = {
  WRONG_VERSION: 'foreign',
  WRONG_NETWORK: 'foreign',
  MALFORMED_HELLO: 'heavy',
  BAD_BINDING: 'grave',
}

const accepted = Uint8Array.of(1)
/** What is said instead to a peer that gets no session. */
const refusals: Readonly<Record<AdmissionRefusal, Uint8Array>> = {
  PEER_ID_IN_USE: Uint8Array.of(2),
  KEY_IN_USE: Uint8Array.of(3),
  NO_PLACE: Uint8Array.of(4),
}

/**
 * Leads the handshake (`inbound` null) or follows it. The leader says hello, the follower answers hello, the leader says
 * that this connection is the one: since one side decides, two connections opened at once never become two sessions. Either
 * may turn the other away and says why. The leader does not wait for that, since a follower that agrees says nothing more.
 * @throws the signal's reason or NetworkError when the peer does not hold the conversation
 */
export async function agreeOnSession({
  connection,
  inbound,
  hello,
  network,
  signal,
  isDuplicate,
  refusalOf,
  onTurnedAway,
}: {
  connection: Connection
  inbound: Stream | null
  hello: Uint8Array
  network: NetworkIdentity
  signal: AbortSignal
  isDuplicate: () => boolean
  /** Why the peer gets no session here; null when it does. */
  refusalOf: (hello: Hello) => AdmissionRefusal | null
  /** The peer has no session for this node; may come after the agreement. */
  onTurnedAway: (reason: AdmissionRefusal) => void
}): Promise<Agreement> {
  const stream = inbound ?? (await connection.newStream(handshakeProtocol, { signal }))
  const conversation = new FramedStream(stream, maxHelloLength)
  // Both say hello even to a stranger, so that both logs name the reason.
  await conversation.write(hello, signal)
  const judged = judge(await conversation.read(signal), { network, peerId: connection.remotePeer.toMultihash().bytes })
  if (judged.type !== 'session') return judged
  const heard = inbound ? refusalIn(await conversation.read(signal)) : null
  if (heard) onTurnedAway(heard)
  if (heard || (!inbound && isDuplicate())) return { type: 'none' }
  const refusal = refusalOf(judged.hello)
  if (refusal || !inbound) await conversation.write(refusal ? refusals[refusal] : accepted, signal)
  if (refusal) return { type: 'none' }
  if (!inbound) void hearRefusal(conversation, signal).then(reason => reason && onTurnedAway(reason))
  return judged
}

async function hearRefusal(conversation: FramedStream, signal: AbortSignal): Promise<AdmissionRefusal | null> {
  try {
    return refusalIn(await conversation.read(signal))
  } catch {
    // It agrees, or is gone.
    return null
  }
}

function refusalIn(word: Uint8Array): AdmissionRefusal | null {
  for (const [refusal, [code]] of Object.entries(refusals)) if (word[0] === code) return refusal as AdmissionRefusal
  return null
}

function judge(bytes: Uint8Array, context: { network: NetworkIdentity; peerId: Uint8Array }): Agreement {
  try {
    const judged = judgeHello(decodeHello(bytes), context)
    return judged.ok ? { type: 'session', hello: judged.value } : { type: 'refused', reason: judged.error }
  } catch {
    return { type: 'refused', reason: 'MALFORMED_HELLO' }
  }
}
