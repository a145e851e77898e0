import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { devnetSequencer } from '../../src/app/devnet/devnet-accounts.js'
import { processExists } from '../../src/app/devnet/node-process.js'
import { BlsSecretKey } from '../../src/base/crypto/bls.js'
import { bytesToHex, hexToBytes } from '../../src/base/primitives/bytes.js'
import type { Block, CertifiedBlock } from '../../src/base/protocol/block.js'
import { encodeCertifiedBlock } from '../../src/base/protocol/block.js'
import { encodeConsensusMessage } from '../../src/base/protocol/consensus-message.js'
import { proposalDigest } from '../../src/base/protocol/proposal.js'
import type { SequencerSet } from '../../src/base/protocol/sequencer-set.js'
import { encodeBlockRange, encodeSyncMessage } from '../../src/base/protocol/sync-message.js'
import { prevote, voteDigest } from '../../src/base/protocol/vote.js'
import { signTransaction } from '../../src/io/execution/sign-transaction.js'
import { createInlineKzg } from '../../src/io/kzg/inline-kzg.js'
import { createViemL1Reader } from '../../src/io/l1/reader/viem-l1-reader.js'
import { depositWithdrawal } from '../../src/rules/blocks/block-withdrawals.js'
import { proposerOf } from '../../src/rules/consensus/proposer-rotation.js'
import {
  certify,
  HostilePeer,
  type KnownNetwork,
  knownNetwork,
  logLine,
  resealed,
  ShadowChain,
  withContext,
} from './hostile-peer.js'
import { type DevnetNode, RunningDevnet, until, withoutBatches } from './running-devnet.js'

const keys = [0, 1, 2, 3].map(i => devnetSequencer(i).consensusKey)
const stranger = BlsSecretKey.fromSeed(new Uint8Array(32).fill(99))
const otherHash = `0x${'ab'.repeat(32)}` as const

let devnet: RunningDevnet
let known: KnownNetwork
let set: SequencerSet
let shadow: ShadowChain
let nonce = 0

beforeAll(async () => {
  devnet = await RunningDevnet.start({ parameters: withoutBatches })
  known = await knownNetwork(devnet)
  const reader = createViemL1Reader({
    config: { rpcUrl: devnet.json.l1.rpcUrl, contracts: known.file.l1.contracts },
    ports: { kzg: createInlineKzg() },
  })
  set = (await reader.sequencerSet(1))!
  shadow = await ShadowChain.open(known, set)
})

afterAll(async () => {
  await shadow?.close()
  await devnet?.destroy()
})

async function sendTransfer(to: DevnetNode): Promise<string> {
  const raw = signTransaction(
    {
      type: 2,
      chainId: devnet.json.l2.chainId,
      nonce: nonce++,
      maxFeePerGas: 10n ** 10n,
      maxPriorityFeePerGas: 1n,
      gasLimit: 21_000,
      to: `0x${'77'.repeat(20)}` as const,
      value: 1n,
    },
    hexToBytes(devnet.json.accounts[0]!.privateKey),
  )
  return devnet.rpc<string>(to, 'eth_sendRawTransaction', [bytesToHex(raw)])
}

/** Sends a transfer and waits for its receipt: consensus and the full node go on. */
async function expectProgress(): Promise<void> {
  const hash = await sendTransfer(devnet.full)
  await until('a receipt at the full node', 20_000, () => devnet.rpc(devnet.full, 'eth_getTransactionReceipt', [hash]))
}

async function canonicalHash(node: DevnetNode, height: number): Promise<string | null> {
  const block = await devnet.rpc<{ hash: string } | null>(node, 'eth_getBlockByNumber', [
    `0x${height.toString(16)}`,
    false,
  ])
  return block?.hash ?? null
}

type Forge = () => Promise<CertifiedBlock> | CertifiedBlock
const next = (change?: Parameters<ShadowChain['buildNext']>[0]) => shadow.buildNext(change)
const signed = (block: Block, by = keys): CertifiedBlock => ({
  block,
  certificate: certify({ block, keys: by, domain: known.domain }),
})

const forgeries: [what: string, reason: string, detail: string, forge: Forge][] = [
  [
    'a certificate that strangers signed',
    'forged-certificate',
    'bad-signature',
    async () => signed(await next(), [stranger, stranger, stranger, stranger]),
  ],
  [
    'a certificate that less than a quorum signed',
    'forged-certificate',
    'not-enough-power',
    async () => {
      const block = await next()
      return {
        block,
        certificate: certify({ block, keys: keys.slice(0, 2), domain: known.domain, change: { absent: 12n } }),
      }
    },
  ],
  [
    'a certificate that names a missing member as its signer',
    'forged-certificate',
    'bad-signature',
    async () => signed(await next(), keys.slice(0, 3)),
  ],
  [
    'a certificate with a bit beyond the set',
    'forged-certificate',
    'unknown-member',
    async () => {
      const block = await next()
      return { block, certificate: certify({ block, keys, domain: known.domain, change: { absent: 16n } }) }
    },
  ],
  [
    'the certificate of another block',
    'certificate-mismatch',
    'certificate for',
    async () => ({ ...signed(await next()), block: resealed(await next(), { gasUsed: 1 }) }),
  ],
  [
    'a certificate of another set',
    'wrong-set',
    'wrong-set',
    async () => {
      const block = await next()
      return { block, certificate: certify({ block, keys, domain: known.domain, change: { setId: 2 } }) }
    },
  ],
  ['a context of another set', 'wrong-set', 'names set 2', async () => signed(withContext(await next(), { setId: 2 }))],
  [
    'a context that the header does not name',
    'malformed sync message',
    'the context is not that of the header',
    async () => {
      const block = await next()
      return signed({ ...block, context: { ...block.context, timestampMs: block.context.timestampMs + 1 } })
    },
  ],
  [
    'transactions that the header does not name',
    'false-body',
    'the transactions are not those of the header',
    async () => {
      const block = await next()
      return signed({ ...block, transactions: [...block.transactions, Uint8Array.of(1)] })
    },
  ],
  [
    'a wrong state root',
    'invalid-execution',
    'state root',
    async () => signed(resealed(await next(), { stateRoot: otherHash })),
  ],
  [
    'a wrong receipts root',
    'invalid-execution',
    'receipts',
    async () => signed(resealed(await next(), { receiptsRoot: otherHash })),
  ],
  [
    'a deposit that no L1 message backs, executed to the right roots',
    'header-mismatch',
    'withdrawals-mismatch',
    async () =>
      signed(
        await next({
          attributes: ({ height, withdrawals }) => ({
            withdrawals: [
              ...withdrawals,
              {
                index: height * 2 ** 16 + withdrawals.length,
                validatorIndex: depositWithdrawal,
                address: devnet.json.accounts[0]!.address,
                amount: 10n ** 9n,
              },
            ],
          }),
        }),
      ),
  ],
  [
    'a message that its L1 origin does not hold',
    'l1-disagrees',
    'messages',
    async () => signed(await next({ context: { messagesConsumed: shadow.head.context.messagesConsumed + 1 } })),
  ],
  [
    'fees for somebody else',
    'header-mismatch',
    'feeRecipient',
    async () => signed(await next({ attributes: () => ({ feeRecipient: devnet.json.accounts[1]!.address }) })),
  ],
  [
    'a time before its parent',
    'header-mismatch',
    'timestamp-too-early',
    async () => signed(await next({ context: { timestampMs: shadow.head.context.timestampMs } })),
  ],
]

describe('a full node', () => {
  it.each(forgeries)('refuses %s, says why and drops the peer', async (_what, reason, detail, forge) => {
    const peer = await HostilePeer.meet({ known, victim: devnet.full })
    try {
      const forged: CertifiedBlock[] = []
      await attackUntilDropped(peer, async () => {
        const certified = await forge()
        forged.push(certified)
        peer.network.send(peer.victim, 'blocks', encodeSyncMessage({ kind: 'block', certified }))
      })
      expect(await logLine(devnet.full, peer.network.localPeer, 'refused', reason)).toContain(detail)
      await expectProgress()
      for (const { block } of forged) expect(await canonicalHash(devnet.full, block.header.number)).not.toBe(block.hash)
    } finally {
      await peer.close()
    }
  })

  it('refuses forged blocks that it asked for, and catches up from others', async () => {
    let answer: Uint8Array = encodeBlockRange([])
    let asked = 0
    const peer = await HostilePeer.meet({
      known,
      victim: devnet.full,
      answerBlocks: () => {
        asked++
        return answer
      },
    })
    try {
      await shadow.follow(peer)
      const honest = await shadow.buildNext()
      answer = encodeBlockRange([encodeCertifiedBlock(signed(resealed(honest, { stateRoot: otherHash })))])
      // A head far ahead that a quorum really signed: whoever trusts it has to ask for the blocks below.
      const far = resealed(honest, { number: honest.header.number + 50 })
      const { certificate } = signed(far)
      peer.network.send(peer.victim, 'blocks', encodeSyncMessage({ kind: 'head', certificate }))
      await until('the drop', 15_000, async () => peer.dropped)
      expect(asked).toBeGreaterThan(0)
      await logLine(devnet.full, peer.network.localPeer, 'refused')
      await expectProgress()
    } finally {
      await peer.close()
    }
  })

  it('drops a peer that proves its head with a forged certificate, or sends garbage', async () => {
    const { certificate } = signed(resealed(await shadow.buildNext(), { number: 1_000_000 }), [stranger])
    for (const message of [encodeSyncMessage({ kind: 'head', certificate }), new Uint8Array(300).fill(0xf8)]) {
      const peer = await HostilePeer.meet({ known, victim: devnet.full })
      peer.network.send(peer.victim, 'blocks', message)
      await until('the drop', 10_000, async () => peer.dropped)
      await peer.close()
    }
    await expectProgress()
  })
})

describe('a sequencer', () => {
  // A consensus key has one session, which the real sequencer would not lose to a peer id that is not configured.
  beforeAll(() => devnet.kill(devnet.sequencers[3]!))
  // A victim bans the key too, so each attack has a victim of its own.
  const meet = (victim: number) =>
    HostilePeer.meet({ known, victim: devnet.sequencers[victim]!, consensusKey: devnetSequencer(3).consensusKey })

  it('votes against a proposal with a wrong state root that its proposer did sign, and says why', async () => {
    const peer = await meet(0)
    try {
      const refusal = async () => {
        await shadow.follow(peer)
        const block = resealed(await shadow.buildNext(), { stateRoot: otherHash })
        peer.network.send(peer.victim, 'consensus', await proposalMessage(block, keys[block.context.proposerIndex]!))
        return logLine(devnet.sequencers[0]!, 'refused', block.hash)
      }
      const line = await until('a refused proposal', 20_000, refusal)
      expect(line).toContain('invalid-execution')
      expect(line).toContain('state root')
      await expectProgress()
      const ends = await Promise.all(
        devnet.json.nodes
          .filter(node => node !== devnet.sequencers[3])
          .map(node => canonicalHash(node, shadow.head.header.number)),
      )
      expect(new Set(ends).size).toBe(1)
    } finally {
      await peer.close()
    }
  })

  it('drops a sequencer that sends votes which the named members did not sign', async () => {
    const peer = await meet(0)
    try {
      await attackUntilDropped(peer, async () => {
        const height = shadow.head.header.number + 1
        const content = { height, round: 0, step: prevote, blockHash: otherHash }
        const signature = stranger.sign(voteDigest(known.domain, content))
        const votes = [1, 2, 3].map(member => ({ ...content, member, signature, extension: new Uint8Array(0) }))
        peer.network.send(peer.victim, 'consensus', encodeConsensusMessage({ kind: 'votes', votes }))
      })
      await logLine(devnet.sequencers[0]!, peer.network.localPeer, 'forged vote')
      await expectProgress()
    } finally {
      await peer.close()
    }
  })

  it('drops a sequencer that sends a proposal which its proposer did not sign', async () => {
    const peer = await meet(1)
    try {
      await attackUntilDropped(peer, async () => {
        peer.network.send(peer.victim, 'consensus', await proposalMessage(await shadow.buildNext(), stranger))
      })
      await logLine(devnet.sequencers[1]!, peer.network.localPeer, 'forged proposal')
      await expectProgress()
    } finally {
      await peer.close()
    }
  })

  it('drops a sequencer that sends garbage on the consensus channel', async () => {
    const peer = await meet(2)
    try {
      peer.network.send(peer.victim, 'consensus', new Uint8Array(64).fill(0xc1))
      await until('the drop', 10_000, async () => peer.dropped)
      await logLine(devnet.sequencers[2]!, peer.network.localPeer, 'malformed')
      await expectProgress()
    } finally {
      await peer.close()
    }
  })
})

describe('a block that all signed, and that the network does not decide', () => {
  it('is taken: nothing but the forgeries made the others refused', async () => {
    const peer = await HostilePeer.meet({ known, victim: devnet.full })
    try {
      await until('the block at the full node', 20_000, async () => {
        await shadow.follow(peer)
        const certified = signed(await shadow.buildNext())
        peer.network.send(peer.victim, 'blocks', encodeSyncMessage({ kind: 'block', certified }))
        const { hash, header } = certified.block
        return until('the height', 1_000, async () => (await canonicalHash(devnet.full, header.number)) === hash)
      })
      expect(peer.dropped).toBe(false)
    } finally {
      await peer.close()
    }
  })

  it('stops who took it, once the network has decided another one', async () => {
    await sendTransfer(devnet.sequencers[0]!)
    expect(await logLine(devnet.full, 'agreement broke')).toContain('morphism forensics')
    await until('the full node stops', 20_000, async () => !processExists(devnet.full.pid))
  })
})

async function proposalMessage(block: Block, key: BlsSecretKey): Promise<Uint8Array> {
  const height = block.header.number
  const proposer = proposerOf(set, height, 0)
  const content = { height, round: 0, validRound: -1 as const, blockHash: block.hash }
  const signature = key.sign(proposalDigest(known.domain, content))
  return encodeConsensusMessage({ kind: 'proposal', proposal: { ...content, proposer, signature }, block })
}

/** Attacks until the victim drops the peer: an attack on a height that the victim has meanwhile left is stale, no offence. */
async function attackUntilDropped(peer: HostilePeer, attack: () => Promise<void>): Promise<void> {
  await until('the drop', 20_000, async () => {
    await shadow.follow(peer)
    await attack()
    return until('the drop', 2_000, async () => peer.dropped)
  })
}
