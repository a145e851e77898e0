import { type BlsPublicKeyBytes, parseBlsPublicKey, verifyBls } from '../../base/crypto/bls.js'
import { DecodeError } from '../../base/encoding/decode-error.js'
import { encodeRlp } from '../../base/encoding/rlp.js'
import { RlpFields, rlpHex, rlpUint } from '../../base/encoding/rlp-fields.js'
import { asciiToBytes } from '../../base/primitives/bytes.js'
import type { BlockHash } from '../../base/primitives/hashes.js'
import { ok, type Result, refuse } from '../../base/primitives/result.js'
import { nodeBindingDigest } from '../../base/protocol/node-binding.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'

/** Version of the messages between nodes; nodes of different versions do not talk. */
export const networkVersion = 1
/** Most bytes of a hello. */
export const maxHelloLength = 512

export type NodeRole = 'sequencer' | 'full'

/** The network that a node belongs to. */
export interface NetworkIdentity {
  readonly l2ChainId: number
  readonly genesisHash: BlockHash
  readonly domain: SigningDomain
}

/** What a node says of itself first. */
export interface Hello {
  readonly version: number
  readonly l2ChainId: number
  readonly genesisHash: BlockHash
  readonly role: NodeRole
  /** The consensus key and its NodeBinding signature over the sender's peer id. */
  readonly binding: { readonly consensusKey: BlsPublicKeyBytes; readonly signature: Uint8Array } | null
}

/** Why a peer's hello is refused. */
export type HelloRefusal = 'WRONG_VERSION' | 'WRONG_NETWORK' | 'BAD_BINDING'

export function encodeHello({ version, l2ChainId, genesisHash, role, binding }: Hello): Uint8Array {
  return encodeRlp([
    rlpUint(version),
    rlpUint(l2ChainId),
    rlpHex(genesisHash),
    asciiToBytes(role),
    binding ? [binding.consensusKey, binding.signature] : [],
  ])
}

/** Reads a hello; later versions may add fields, so the version decides first. @throws DecodeError */
export function decodeHello(bytes: Uint8Array): Hello | { version: number } {
  const fields = RlpFields.decode(bytes, 'hello')
  const version = fields.safeUint()
  if (version !== networkVersion) return { version }
  const l2ChainId = fields.safeUint()
  const genesisHash = fields.hash()
  const role = String.fromCharCode(...fields.bytes({ max: 16 }))
  if (role !== 'sequencer' && role !== 'full') throw new DecodeError('hello: the role is unknown')
  const pair = fields.fields('hello binding')
  fields.end()
  if (pair.remaining === 0) return { version, l2ChainId, genesisHash, role, binding: null }
  const consensusKey = pair.bytes({ min: 48, max: 48 })
  const signature = pair.bytes({ min: 96, max: 96 })
  pair.end()
  return { version, l2ChainId, genesisHash, role, binding: { consensusKey, signature } }
}

/** Judges the hello of the peer with this id (multihash): same version and network, binding signed by its key. */
export function judgeHello(
  hello: Hello | { version: number },
  { network, peerId }: { network: NetworkIdentity; peerId: Uint8Array },
): Result<Hello, HelloRefusal> {
  if (!('role' in hello)) return refuse('WRONG_VERSION')
  if (hello.l2ChainId !== network.l2ChainId || hello.genesisHash !== network.genesisHash) return refuse('WRONG_NETWORK')
  if (!hello.binding) return ok(hello)
  const key = parseBlsPublicKey(hello.binding.consensusKey)
  const digest = nodeBindingDigest(network.domain, peerId)
  if (!key || !verifyBls({ digest, key, signature: hello.binding.signature })) return refuse('BAD_BINDING')
  return ok(hello)
}
