import { invariant } from '../../base/primitives/invariant.js'

/** What is needed of an encrypted connection of js-libp2p's Noise: how it reads the length before each message. */
interface NoiseConnection {
  readonly decoder: { lengthDecoder(data: { readonly length: number; subarray(): Uint8Array }): number }
}

const lengthBytes = 2

/**
 * Makes a connection read its lengths without an error for each packet. js-libp2p's decoder looks for one more message after
 * the last one, and the error that ends this takes a fifth of the time of reading a message. Any length of a message that has
 * not begun is more than is there, so that the decoder waits.
 */
export function readLengthsQuietly(connection: object): void {
  const { decoder } = connection as Partial<NoiseConnection>
  invariant(typeof decoder?.lengthDecoder === 'function', 'a Noise connection of libp2p has a length decoder')
  const decode = decoder.lengthDecoder.bind(decoder)
  decoder.lengthDecoder = data => (data.length < lengthBytes ? lengthBytes : decode(data))
}
