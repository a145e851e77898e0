import { invariant } from '../../base/primitives/invariant.js'

/** What is needed of a Yamux stream of js-libp2p: its receive window in bytes, and how it tells the peer of new room. */
interface YamuxStream {
  /** Bytes that the peer may have on the way at most. */
  readonly recvWindow: number
  /** Bytes that the peer may still send by what it was told. */
  readonly recvWindowCapacity: number
  /** Up to which its window grows. */
  maxStreamWindowSize: number
  readonly state: number
  readonly status: string
  sendWindowUpdate(): void
  abort(error: Error): void
}

/** `StreamState.Established`: both sides know of the stream, so that no flag waits to be sent. */
const established = 3

/**
 * Makes a stream tell its peer of new room once half of the window is used, as Yamux in Go does. js-libp2p tells after
 * every message, one more encrypted frame to write and to read for each. A stream that is over tells nothing, and one that
 * cannot tell is over.
 */
export function creditByHalves(stream: object): void {
  const yamux = stream as YamuxStream
  invariant(
    typeof yamux.sendWindowUpdate === 'function' &&
      typeof yamux.recvWindow === 'number' &&
      typeof yamux.maxStreamWindowSize === 'number',
    'a Yamux stream has a receive window',
  )
  const update = yamux.sendWindowUpdate.bind(yamux)
  yamux.sendWindowUpdate = () => {
    // What a resumed stream hands over may end its connection, and libp2p tells of room all the same.
    if (yamux.status !== 'open') return
    const { recvWindow, recvWindowCapacity } = yamux
    if (yamux.state === established && recvWindow - recvWindowCapacity < recvWindow / 2) return
    try {
      update()
    } catch (error) {
      // libp2p calls this in timers and microtasks too, where nobody would catch it.
      yamux.abort(error as Error)
    }
  }
}

/** From now on the window of a stream grows up to so many bytes. */
export function limitWindow(stream: object, bytes: number): void {
  const yamux = stream as YamuxStream
  yamux.maxStreamWindowSize = bytes
}
