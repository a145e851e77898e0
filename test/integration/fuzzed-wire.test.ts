import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BlsSecretKey } from '../../src/base/crypto/bls.js'
import { DecodeError } from '../../src/base/encoding/decode-error.js'
import { zeroHash } from '../../src/base/primitives/hashes.js'
import { decodeConsensusMessage, encodeConsensusMessage } from '../../src/base/protocol/consensus-message.js'
import {
  decodeEvidenceMessage,
  duplicateAttestation,
  duplicateVote,
  encodeEvidenceMessage,
} from '../../src/base/protocol/evidence.js'
import type { SigningDomain } from '../../src/base/protocol/signing-domain.js'
import {
  decodeBlockRange,
  decodeBlockRangeRequest,
  decodeSyncMessage,
  encodeBlockRange,
  encodeBlockRangeRequest,
  encodeSyncMessage,
} from '../../src/base/protocol/sync-message.js'
import { precommit, prevote } from '../../src/base/protocol/vote.js'
import { GuardedSigner } from '../../src/io/keys/guarded-signer.js'
import { MemorySigningRecord } from '../../src/io/keys/memory-signing-record.js'
import { decodeHello, encodeHello, judgeHello, networkVersion } from '../../src/io/network/handshake.js'
import { MemoryHub } from '../../src/io/network/memory-network.js'
import type { PeerId } from '../../src/io/network/peer-network.js'
import { silentMetrics } from '../../src/io/telemetry/metrics.js'
import { VirtualClock } from '../../src/io/time/virtual-clock.js'
import { BatchGossip } from '../../src/services/batcher/batch-gossip.js'
import { decodeBatchMessage, encodeBatchMessage } from '../../src/services/batcher/batch-message.js'
import { decodeTransactionBatch, encodeTransactionBatch } from '../../src/services/mempool/transaction-batch.js'
import { TransactionGossip } from '../../src/services/mempool/transaction-gossip.js'

const signature = new Uint8Array(96).fill(7)
const content = { height: 9, round: 1, blockHash: `0x${'ab'.repeat(32)}` as const }
const certificate = { ...content, setId: 3, absent: 5n, signature }
const attestation = { batchIndex: 4, batchHash: content.blockHash, signature }
const votes = [prevote, precommit].map(step => ({
  ...content,
  step,
  member: step,
  signature,
  extension: new Uint8Array(step === precommit ? 40 : 0),
}))
const bare = votes.map(vote => ({ ...vote, step: prevote, extension: new Uint8Array(0) }))
const evidence = [
  duplicateVote(bare[0]!, { ...bare[1]!, blockHash: zeroHash }),
  duplicateAttestation({
    setId: 1,
    member: 2,
    attestations: [attestation, { ...attestation, batchHash: zeroHash }],
  }),
]
const transactions = [new Uint8Array(110).fill(2), new Uint8Array(3), new Uint8Array(60_000).fill(9)]
const batches = [
  encodeBatchMessage({ type: 'want', from: 7 }),
  encodeBatchMessage({ type: 'attestation', attestation }),
  encodeBatchMessage({
    type: 'certificates',
    certificates: [{ batchIndex: 4, batchHash: content.blockHash, absent: 0n, signature }],
  }),
]

const domain: SigningDomain = { l1ChainId: 1, rollup: `0x${'22'.repeat(20)}` as const }
const network = { l2ChainId: 7, genesisHash: zeroHash, domain }
const secretKey = BlsSecretKey.fromSeed(new Uint8Array(32).fill(9))
const signer = new GuardedSigner({ secretKey, domain, record: new MemorySigningRecord() })
const peerId = new Uint8Array(38).fill(1)
const hello = encodeHello({
  version: networkVersion,
  ...network,
  role: 'sequencer',
  binding: { consensusKey: signer.publicKey, signature: await signer.signNodeBinding(peerId) },
})

/** Everything that is read from a peer, and valid examples of it. */
const wires: [what: string, decode: (bytes: Uint8Array) => unknown, valid: Uint8Array[]][] = [
  ['hello', decodeHello, [hello, encodeHello({ version: networkVersion, ...network, role: 'full', binding: null })]],
  [
    'consensus',
    decodeConsensusMessage,
    [
      encodeConsensusMessage({ kind: 'votes', votes }),
      encodeConsensusMessage({ kind: 'status', height: 9, round: 2, hasProposal: true }),
      encodeConsensusMessage({ kind: 'relay', vote: votes[0]! }),
      encodeConsensusMessage({ kind: 'aggregate', aggregate: { votes: bare, signature } }),
    ],
  ],
  [
    'blocks',
    decodeSyncMessage,
    [encodeSyncMessage({ kind: 'head', certificate }), encodeSyncMessage({ kind: 'follow', on: true })],
  ],
  ['transactions', decodeTransactionBatch, [encodeTransactionBatch({ relay: true, transactions })]],
  ['batches', decodeBatchMessage, batches],
  ['evidence', decodeEvidenceMessage, [encodeEvidenceMessage(evidence)]],
  ['block-range request', decodeBlockRangeRequest, [encodeBlockRangeRequest({ from: 5, count: 100 })]],
  ['block-range answer', decodeBlockRange, [encodeBlockRange([])]],
]

type Change = { at: number; to: number; cut: number }
const changes = fc.array(
  fc.record({ at: fc.nat(100_000), to: fc.nat(255), cut: fc.oneof(fc.constant(0), fc.nat(300)) }),
  { minLength: 1, maxLength: 4 },
)

/** The bytes with some of them changed, and maybe an end cut off or doubled. */
function mutated(valid: Uint8Array, told: readonly Change[]): Uint8Array {
  let bytes = Uint8Array.from(valid)
  for (const { at, to, cut } of told) {
    bytes[at % bytes.length] = to
    if (cut % 3 === 1) bytes = bytes.slice(0, Math.max(1, bytes.length - cut))
    if (cut % 3 === 2) bytes = Uint8Array.from([...bytes, ...bytes.subarray(0, cut)])
  }
  return bytes
}

function expectTyped(read: () => unknown): void {
  try {
    read()
  } catch (error) {
    expect(error).toBeInstanceOf(DecodeError)
  }
}

describe('what is read from peers', () => {
  it.each(wires)('%s: valid bytes are read, random and mutated ones refused by name if at all', (_, decode, valid) => {
    for (const bytes of valid) decode(bytes)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), bytes => expectTyped(() => decode(bytes))),
      { seed: 7, numRuns: 500 },
    )
    fc.assert(
      fc.property(fc.constantFrom(...valid), changes, (bytes, told) => expectTyped(() => decode(mutated(bytes, told)))),
      { seed: 8, numRuns: 500 },
    )
  })

  it('a binding is good for one peer id and one network only, and no bit of a hello may change', () => {
    const judge = (bytes: Uint8Array, where = { network, peerId }) => judgeHello(decodeHello(bytes), where)
    expect(judge(hello).ok).toBe(true)
    expect(judge(hello, { network, peerId: Uint8Array.of(2) })).toMatchObject({ error: 'BAD_BINDING' })
    const elsewhere = { ...network, domain: { ...domain, l1ChainId: 2 } }
    expect(judge(hello, { network: elsewhere, peerId })).toMatchObject({ error: 'BAD_BINDING' })
    fc.assert(
      fc.property(fc.nat(hello.length - 1), fc.nat(7), (at, bit) => {
        const bytes = Uint8Array.from(hello)
        bytes[at]! ^= 1 << bit
        expectTyped(() => expect(judge(bytes).ok).toBe(false))
      }),
      { seed: 9, numRuns: 200 },
    )
  })
})

describe('the gossip of transactions and batches', () => {
  it('parts with who sends garbage, never with the honest peer that sends between it', async () => {
    const message = fc.record({
      channel: fc.constantFrom('transactions' as const, 'batches' as const),
      which: fc.nat(2),
      told: changes,
    })
    await fc.assert(
      fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 20 }), async messages => {
        const clock = new VirtualClock()
        const hub = new MemoryHub({ clock })
        const [victim, honest, hostile] = ['victim', 'honest', 'hostile'].map(id => hub.join({ id }))
        await clock.advance(1)
        const dropped: PeerId[] = []
        victim!.onDisconnect(peer => dropped.push(peer.id))
        let received = 0
        const gossip = new TransactionGossip(
          { gossipIntervalMs: 10, resendIntervalMs: 1_000, maxSyncBytes: 1_000 },
          {
            network: victim!,
            clock,
            metrics: silentMetrics,
            isSequencer: true,
            isSequencerPeer: () => false,
            sequencerCount: undefined,
            pending: () => [],
            locals: () => [],
            receive: from => {
              if (from.id === 'honest') received++
            },
          },
        )
        new BatchGossip(victim!, {
          attestation: () => 'ignored',
          certificate: async () => 'known',
          certificatesFrom: () => [],
          wanted: () => null,
          ownAttestations: () => [],
          isSequencer: () => false,
          nowMs: () => clock.nowMs(),
        })
        for (const { channel, which, told } of messages) {
          const valid = channel === 'batches' ? batches[which]! : encodeTransactionBatch({ relay: false, transactions })
          hostile!.send('victim', channel, mutated(valid, told))
          honest!.send('victim', channel, valid)
          await clock.advance(1)
        }
        expect(dropped).not.toContain('honest')
        expect(received).toBe(messages.filter(({ channel }) => channel === 'transactions').length)
        gossip.close()
      }),
      { seed: 10, numRuns: 100 },
    )
  })
})
