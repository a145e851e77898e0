import { BlsSecretKey, parseBlsPublicKey } from '../../src/base/crypto/bls.js'
import { keccak256Hex } from '../../src/base/crypto/keccak.js'
import { uintToBytes } from '../../src/base/primitives/bytes.js'
import { zeroAddress, zeroHash } from '../../src/base/primitives/hashes.js'
import { ok } from '../../src/base/primitives/result.js'
import type { Block, CertifiedBlock } from '../../src/base/protocol/block.js'
import { type BlockContext, contextHash, emptyInboxRoot } from '../../src/base/protocol/block-context.js'
import { type BlockHeader, emptyRequestsHash, emptyTrieRoot, headerHash } from '../../src/base/protocol/block-header.js'
import { devnetParameters } from '../../src/base/protocol/protocol-parameters.js'
import { verifyCertificate } from '../../src/base/protocol/quorum-certificate.js'
import { makeSequencerSet, type SequencerSet } from '../../src/base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../src/base/protocol/signing-domain.js'
import { GuardedSigner } from '../../src/io/keys/guarded-signer.js'
import { MemorySigningRecord } from '../../src/io/keys/memory-signing-record.js'
import { inlineSignatureVerifier } from '../../src/io/keys/signature-verifier.js'
import { MemoryHub, type MemoryNetwork } from '../../src/io/network/memory-network.js'
import { MemoryLog } from '../../src/io/storage/memory-log.js'
import { silentLogger } from '../../src/io/telemetry/logger.js'
import { silentMetrics } from '../../src/io/telemetry/metrics.js'
import { VirtualClock } from '../../src/io/time/virtual-clock.js'
import type { ParentBlock } from '../../src/rules/blocks/block-attributes.js'
import { ConsensusEngine } from '../../src/services/sequencer/engine.js'
import { Syncer } from '../../src/services/syncer/syncer.js'

export const domain: SigningDomain = { l1ChainId: 31337, rollup: `0x${'12'.repeat(20)}` as const }

export const genesis: ParentBlock = chainEntry(makeBlock({ parent: null, timestampMs: 0, proposerIndex: 0 }))

export function chainEntry(block: Block): ParentBlock {
  return { hash: block.hash, header: block.header, context: block.context, feeCarryWei: 0n }
}

/** A block without execution: consensus cares only for its hash, height and links. */
export function makeBlock({
  parent,
  timestampMs,
  proposerIndex,
}: {
  parent: ParentBlock | null
  timestampMs: number
  proposerIndex: number
}): Block {
  const context: BlockContext = {
    version: 1,
    setId: 1,
    proposerIndex,
    timestampMs,
    l1OriginNumber: 0,
    l1OriginHash: zeroHash,
    messagesConsumed: 0,
    inboxRoot: emptyInboxRoot,
  }
  const header: BlockHeader = {
    parentHash: parent?.hash ?? zeroHash,
    feeRecipient: zeroAddress,
    stateRoot: zeroHash,
    transactionsRoot: emptyTrieRoot,
    receiptsRoot: emptyTrieRoot,
    logsBloom: `0x${'00'.repeat(256)}`,
    number: parent ? parent.header.number + 1 : 0,
    gasLimit: 30_000_000,
    gasUsed: 0,
    timestamp: Math.floor(timestampMs / 1000),
    prevRandao: keccak256Hex(uintToBytes(timestampMs, 32)),
    baseFeePerGas: 1n,
    withdrawalsRoot: emptyTrieRoot,
    parentBeaconBlockRoot: contextHash(context),
    requestsHash: emptyRequestsHash,
  }
  return { hash: headerHash(header), header, context, transactions: [], withdrawals: [] }
}

/** What survives a crash of a node. */
class Disk {
  readonly wal = new MemoryLog()
  readonly record = new MemorySigningRecord()
  readonly chain: CertifiedBlock[] = []
}

/** One running sequencer: real engine, syncer, signer and log over memory wires; the chain is a list. */
export class TestNode {
  readonly fatal: unknown[] = []
  private readonly listeners: ((committed: CertifiedBlock) => void)[] = []
  private readonly wakers: (() => void)[] = []
  private engine: ConsensusEngine | null = null
  private syncer: Syncer | null = null
  private constructor(
    readonly index: number,
    readonly disk: Disk,
    readonly wires: MemoryNetwork,
  ) {}

  static async start(net: TestConsensusNetwork, index: number, disk: Disk): Promise<TestNode> {
    const secretKey = net.keys[index]!
    const wires = net.hub.join({ id: `node-${index}`, consensusKey: secretKey.publicKey() })
    const node = new TestNode(index, disk, wires)
    const sets = { setAt: () => net.set }
    node.syncer = new Syncer(
      { domain, role: 'sequencer' },
      {
        chain: {
          height: () => disk.chain.length,
          certificateAt: height => disk.chain[height - 1]?.certificate ?? null,
          certifiedBlockAt: async height => disk.chain[height - 1] ?? null,
          import: async certified => {
            if (certified.block.header.number === disk.chain.length + 1) node.append(certified)
            return ok(undefined)
          },
          onCommitted: listener => node.listeners.push(listener),
        },
        network: wires,
        sets,
        clock: net.clock,
        logger: silentLogger,
        metrics: silentMetrics,
      },
    )
    node.engine = await ConsensusEngine.start({
      config: { parameters: net.parameters, domain },
      ports: {
        application: {
          prepareProposal: async () =>
            makeBlock({
              parent: node.head(),
              timestampMs: Math.max(net.clock.nowMs(), node.head().context.timestampMs + 100),
              proposerIndex: index,
            }),
          processProposal: async () => ok(undefined),
          extendVote: () => new Uint8Array(0),
          verifyVoteExtension: () => {},
          finalizeBlock: async certified => node.append(certified),
        },
        work: { hasWork: () => net.busy, onWork: listener => node.wakers.push(listener) },
        head: () => node.head(),
        sets,
        signer: new GuardedSigner({ secretKey, domain, record: disk.record }),
        verifier: inlineSignatureVerifier,
        network: wires,
        wal: disk.wal,
        clock: net.clock,
        logger: silentLogger,
        metrics: silentMetrics,
        onFatal: error => node.fatal.push(error),
      },
    })
    return node
  }

  get height(): number {
    return this.disk.chain.length
  }

  head(): ParentBlock {
    const last = this.disk.chain.at(-1)
    return last ? chainEntry(last.block) : genesis
  }

  wake(): void {
    for (const waker of this.wakers) waker()
  }

  async crash(): Promise<void> {
    await this.wires.close()
    await this.engine?.stop()
    await this.syncer?.stop()
  }

  private append(certified: CertifiedBlock): void {
    this.disk.chain.push(certified)
    for (const listener of this.listeners) listener(certified)
    this.engine?.onHead()
  }
}

/** A network of sequencers in virtual time. */
export class TestConsensusNetwork {
  readonly clock = new VirtualClock(1_700_000_000_000)
  readonly parameters = devnetParameters
  readonly keys: BlsSecretKey[]
  readonly set: SequencerSet
  readonly hub: MemoryHub
  readonly nodes = new Map<number, TestNode>()
  private readonly disks = new Map<number, Disk>()
  /** Whether there is always something to put into a block. */
  busy = true
  /** Says which messages are lost. */
  loses: (passage: { from: string; to: string }) => boolean = () => false

  constructor(size: number) {
    this.keys = Array.from({ length: size }, (_, i) => BlsSecretKey.fromSeed(new Uint8Array(32).fill(i + 1)))
    const member = (key: BlsSecretKey) => ({
      operator: zeroAddress,
      submitter: zeroAddress,
      feeRecipient: zeroAddress,
      publicKey: parseBlsPublicKey(key.publicKey())!,
      power: 1n,
    })
    this.set = makeSequencerSet(1, this.keys.map(member))
    this.hub = new MemoryHub({ clock: this.clock, delayMs: () => 1, loses: passage => this.loses(passage) })
  }

  async start(index: number): Promise<TestNode> {
    const disk = this.disks.get(index) ?? new Disk()
    this.disks.set(index, disk)
    const node = await TestNode.start(this, index, disk)
    this.nodes.set(index, node)
    return node
  }

  async crash(index: number): Promise<void> {
    await this.nodes.get(index)!.crash()
    this.nodes.delete(index)
  }

  heights(): number[] {
    return [...this.nodes.values()].map(node => node.height)
  }

  /** Every pair of chains agrees, and every certificate verifies. */
  problems(): string[] {
    const problems: string[] = []
    const chains = [...this.disks.values()].map(disk => disk.chain)
    const longest = chains.reduce((a, b) => (b.length > a.length ? b : a), [])
    for (const chain of chains) {
      chain.forEach(({ block, certificate }, i) => {
        if (block.hash !== longest[i]!.block.hash) problems.push(`fork at height ${i + 1}`)
        if (!verifyCertificate({ certificate, set: this.set, domain }).ok)
          problems.push(`certificate at height ${i + 1}`)
      })
    }
    for (const node of this.nodes.values())
      for (const error of node.fatal) problems.push(`node ${node.index}: ${error}`)
    return problems
  }
}
