import type { RpcArguments } from '../../io/execution/embedded/queries/rpc-argument.js'

/** Somebody at the other end of a connection. */
export interface Caller {
  /** Ends the connection, saying why. */
  disconnect(reason: string): void
}

/** Receives the notifications of its subscriptions; disconnects itself when its peer does not read. */
export interface Subscriber extends Caller {
  /** Where it is; null on loopback, where a reverse proxy brings everybody's. */
  readonly host: string | null
  /** Whether much of what it was told is not on its way yet. */
  readonly isBehind: boolean
  notify(text: string): void
  /** Counts this many bytes more, or fewer, of notifications held back for it; false when it is disconnected and gets none. */
  holdBack(bytes: number): boolean
}

/** Who calls, and over what. */
export interface CallContext {
  /** Null where no notification can be sent (HTTP). */
  readonly subscriber: Subscriber | null
  /** Whom places are shared out to: the host, or on this machine the connection. */
  readonly caller: unknown
  /** Where the caller is; null or left out on this machine. */
  readonly host?: string | null
  /** Runs the listener when the caller is gone; the returned function takes it back. */
  whenGone(listener: () => void): () => void
  /** Whether nobody waits for the answer any more. */
  readonly isGone: boolean
  /** Says how many bytes its parsed message takes, and what is made of its answer and waits for the rest. */
  holds(bytes: number): void
  /** Runs the task once the answer is on its way. */
  afterAnswer(task: () => void): void
}

/** One call, its arguments not read yet. */
export interface RpcCall {
  readonly args: RpcArguments
  /** The arguments as they came, to be passed on. */
  readonly params: readonly unknown[]
  readonly context: CallContext
}

/** Answers one method with a JSON value, or its text. @throws ExecutionRpcError for what the caller sees as an error */
export type RpcMethod = (call: RpcCall) => unknown

/** Methods by their JSON-RPC name. */
export type RpcMethods = Readonly<Record<string, RpcMethod>>
