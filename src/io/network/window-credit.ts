import { invariant } from '../../base/primitives/invariant.js'

/** What is needed of a Yamux stream of js-libp2p: its receive window in bytes, and how it tells the peer of new room. */
interface YamuxStream {
  /** Bytes that the peer may have on the way at most. */
  readonly recvWindow: number
  /** Bytes that the peer may still send by what it was told. */
  readonly recvWindowCapacity: number
  readonly state: number
  sendWindowUpdate(): void
}

/** `StreamState.Established`: both sides know of the stream, so that no flag waits to be sent. */
const established = 3

/**
 * Makes a stream tell its peer of new room once half of the window is used, as Yamux in Go does. js-libp2p tells after
 * every message, one more encrypted frame to write and to read for each.
 */
export function creditByHalves(stream: object): void {
  const yamux = stream as YamuxStream
  invariant(
    typeof yamux.sendWindowUpdate === 'function' && typeof yamux.recvWindow === 'number',
    'a Yamux stream has a receive window',
  )
  const update = yamux.sendWindowUpdate.bind(yamux)
  yamux.sendWindowUpdate = () => {
    const { recvWindow, recvWindowCapacity } = yamux
    if (yamux.state === established && recvWindow - recvWindowCapacity < recvWindow / 2) return
    update()
  }
}
