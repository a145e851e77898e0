import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { l2Genesis, l2GenesisBatch } from '../../src/app/node/l2-genesis.js'
import { type NetworkFile, readNetworkFile } from '../../src/app/node/network-file.js'
import { loadOrCreateNodeIdentity } from '../../src/app/node/node-identity.js'
import { aggregateSignatures, type BlsSecretKey } from '../../src/base/crypto/bls.js'
import type { Height } from '../../src/base/primitives/quantities.js'
import { type Block, decodeOwnBlock, type EncodedCertifiedBlock } from '../../src/base/protocol/block.js'
import { type BlockContext, contextHash } from '../../src/base/protocol/block-context.js'
import { type BlockHeader, headerHash } from '../../src/base/protocol/block-header.js'
import { devnetParameters } from '../../src/base/protocol/protocol-parameters.js'
import type { QuorumCertificate } from '../../src/base/protocol/quorum-certificate.js'
import type { SequencerSet } from '../../src/base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../src/base/protocol/signing-domain.js'
import { decodeBlockRange, encodeBlockRangeRequest, maxBlockRange } from '../../src/base/protocol/sync-message.js'
import { precommit, voteDigest } from '../../src/base/protocol/vote.js'
import { createInProcessExecution } from '../../src/io/execution/embedded/in-process-execution.js'
import type { ExecutionClient } from '../../src/io/execution/execution-client.js'
import { GuardedSigner } from '../../src/io/keys/guarded-signer.js'
import { MemorySigningRecord } from '../../src/io/keys/memory-signing-record.js'
import { Libp2pNetwork } from '../../src/io/network/libp2p-network.js'
import type { PeerId } from '../../src/io/network/peer-network.js'
import { MemoryStore } from '../../src/io/storage/memory-store.js'
import { type FixedAttributes, fixedAttributes, type ParentBlock } from '../../src/rules/blocks/block-attributes.js'
import { proposerOf } from '../../src/rules/consensus/proposer-rotation.js'
import { type DevnetNode, type RunningDevnet, until } from './running-devnet.js'

/** What everybody knows of a devnet, so also its enemies. */
export interface KnownNetwork {
  readonly file: NetworkFile
  readonly domain: SigningDomain
}

export async function knownNetwork(devnet: RunningDevnet): Promise<KnownNetwork> {
  const file = await readNetworkFile(path.join(devnet.dataDir, 'network.json'))
  return { file, domain: { l1ChainId: file.l1.chainId, rollup: file.l1.contracts.rollup } }
}

/** A peer that speaks the protocol and means harm; each has an identity of its own. */
export class HostilePeer {
  private gone = false
  private constructor(
    readonly network: Libp2pNetwork,
    readonly victim: PeerId,
  ) {
    network.onDisconnect(({ id }) => {
      if (id === victim) this.gone = true
    })
  }

  /** Connects to the victim; with a consensus key it passes for that sequencer. */
  static async meet({
    known: { file, domain },
    victim,
    consensusKey,
    answerBlocks,
  }: {
    known: KnownNetwork
    victim: DevnetNode
    consensusKey?: BlsSecretKey
    answerBlocks?: () => Uint8Array
  }): Promise<HostilePeer> {
    const { peerId } = await loadOrCreateNodeIdentity(path.join(victim.dataDir, 'node-key'))
    const port = victim.command[victim.command.indexOf('--p2p-port') + 1]
    const signer =
      consensusKey && new GuardedSigner({ secretKey: consensusKey, domain, record: new MemorySigningRecord() })
    const network = await Libp2pNetwork.create({
      config: {
        listen: { host: '127.0.0.1', port: 0 },
        peers: [`/ip4/127.0.0.1/tcp/${port}/p2p/${peerId}`],
        network: {
          l2ChainId: file.l2.chainId,
          genesisHash: l2GenesisBatch(l2Genesis(file)).lastBlockHash,
          domain,
        },
        role: consensusKey ? 'sequencer' : 'full',
      },
      nodeKey: Uint8Array.from(randomBytes(32)),
      ...(signer ? { signer } : {}),
    })
    if (answerBlocks) network.onRequest('block-range', async () => answerBlocks())
    const peer = new HostilePeer(network, peerId)
    await network.start()
    await until('a connection to the victim', 10_000, async () => network.peers().some(({ id }) => id === peerId))
    return peer
  }

  get dropped(): boolean {
    return this.gone
  }

  async blocks(from: Height): Promise<EncodedCertifiedBlock[]> {
    const request = encodeBlockRangeRequest({ from, count: maxBlockRange })
    return decodeBlockRange(await this.network.request(this.victim, 'block-range', request))
  }

  close(): Promise<void> {
    return this.network.close()
  }
}

/** The chain executed once more in the test: it can build any next block, also such as no honest node would. */
export class ShadowChain {
  private constructor(
    private readonly execution: ExecutionClient,
    private readonly set: SequencerSet,
    private parent: ParentBlock,
  ) {}

  static async open({ file }: KnownNetwork, set: SequencerSet): Promise<ShadowChain> {
    const execution = await createInProcessExecution({ store: new MemoryStore(), genesis: l2Genesis(file) })
    const genesis = (await execution.blockAt(0))!
    return new ShadowChain(execution, set, { ...genesis, feeCarryWei: 0n })
  }

  get head(): ParentBlock {
    return this.parent
  }

  /** Follows a peer to its head. */
  async follow(peer: HostilePeer): Promise<void> {
    for (;;) {
      const blocks = await peer.blocks(this.parent.header.number + 1)
      if (blocks.length === 0) return
      for (const { block } of blocks) {
        const { feeCarryWei } = this.attributes(block.context)
        const { status } = await this.execution.newPayload(decodeOwnBlock(block.encoded))
        if (status !== 'VALID') throw new Error(`an honest block is ${status}`)
        await this.execution.forkchoiceUpdated({ head: block.hash, safe: block.hash, finalized: block.hash })
        this.parent = { hash: block.hash, header: block.header, context: block.context, feeCarryWei }
      }
    }
  }

  /** A next block that follows every rule but those that `change` breaks before it is executed. */
  async buildNext(
    change: {
      context?: Partial<BlockContext>
      attributes?: (honest: FixedAttributes) => Partial<FixedAttributes>
    } = {},
  ): Promise<Block> {
    const { context: before } = this.parent
    const timestampMs = Math.max(Date.now(), before.timestampMs + devnetParameters.minBlockIntervalMs)
    const proposerIndex = proposerOf(this.set, this.parent.header.number + 1, 0)
    const context = { ...before, setId: this.set.setId, proposerIndex, timestampMs, ...change.context }
    const { attributes } = this.attributes(context)
    const built = await this.execution.buildBlock({
      ...attributes,
      ...change.attributes?.(attributes),
      transactions: [],
      onInvalidTransaction: 'fail',
    })
    return built.block
  }

  close(): Promise<void> {
    return this.execution.close()
  }

  private attributes(context: BlockContext) {
    return fixedAttributes({
      parent: this.parent,
      context,
      messages: [],
      set: this.set,
      gasLimit: devnetParameters.gasLimit,
    })
  }
}

/** The block with another header, hashed anew; its body stays. */
export function resealed(block: Block, change: Partial<BlockHeader>): Block {
  const header = { ...block.header, ...change }
  return { ...block, header, hash: headerHash(header) }
}

/** The block with another context, which its header names; its body stays. */
export function withContext(block: Block, change: Partial<BlockContext>): Block {
  const context = { ...block.context, ...change }
  return { ...resealed(block, { parentBeaconBlockRoot: contextHash(context) }), context }
}

/** A certificate that these keys really sign. */
export function certify({
  block,
  keys,
  domain,
  change = {},
}: {
  block: Pick<Block, 'hash' | 'header'>
  keys: readonly BlsSecretKey[]
  domain: SigningDomain
  change?: Partial<QuorumCertificate>
}): QuorumCertificate {
  const height = block.header.number
  const digest = voteDigest(domain, { height, round: 0, step: precommit, blockHash: block.hash })
  const signature = aggregateSignatures(keys.map(key => key.sign(digest)))
  return { height, round: 0, blockHash: block.hash, setId: 1, absent: 0n, signature, ...change }
}

/** A line of a node's log that names all of these words, as soon as it is written. */
export function logLine(node: DevnetNode, ...words: readonly string[]): Promise<string> {
  const file = path.join(node.dataDir, 'node.log')
  return until(`a line with ${words.join(', ')} in the log of ${node.name}`, 5_000, async () =>
    readFileSync(file, 'utf8')
      .split('\n')
      .find(line => words.every(word => line.includes(word))),
  )
}
