import { BlsSecretKey } from '../../src/base/crypto/bls.js'
import { keccak256Hex } from '../../src/base/crypto/keccak.js'
import { uintToBytes } from '../../src/base/primitives/bytes.js'
import { zeroAddress, zeroHash } from '../../src/base/primitives/hashes.js'
import { ok, type Result } from '../../src/base/primitives/result.js'
import { type Block, type CertifiedBlock, decodeOwnBlock, transactionsRootOf } from '../../src/base/protocol/block.js'
import { type BlockContext, contextHash, emptyInboxRoot } from '../../src/base/protocol/block-context.js'
import { type BlockHeader, emptyRequestsHash, emptyTrieRoot, headerHash } from '../../src/base/protocol/block-header.js'
import { devnetParameters } from '../../src/base/protocol/protocol-parameters.js'
import { verifyCertificate } from '../../src/base/protocol/quorum-certificate.js'
import { setOfKeys } from '../../src/base/protocol/sequencer-set.fixture.js'
import type { SequencerSet } from '../../src/base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../src/base/protocol/signing-domain.js'
import type { ConsensusSigner, VoteToSign } from '../../src/io/keys/consensus-signer.js'
import { GuardedSigner } from '../../src/io/keys/guarded-signer.js'
import { MemorySigningRecord } from '../../src/io/keys/memory-signing-record.js'
import { inlineSignatureVerifier } from '../../src/io/keys/signature-verifier.js'
import { MemoryHub, type MemoryNetwork, type Passage } from '../../src/io/network/memory-network.js'
import type { AppendLog } from '../../src/io/storage/append-log.js'
import { MemoryLog } from '../../src/io/storage/memory-log.js'
import { MemoryStore } from '../../src/io/storage/memory-store.js'
import { silentLogger } from '../../src/io/telemetry/logger.js'
import { silentMetrics } from '../../src/io/telemetry/metrics.js'
import { pause } from '../../src/io/time/clock.js'
import { VirtualClock } from '../../src/io/time/virtual-clock.js'
import type { ParentBlock } from '../../src/rules/blocks/block-attributes.js'
import { createProtocolSchedule } from '../../src/rules/upgrades/protocol-schedule.js'
import type { ProposalRefused } from '../../src/services/sequencer/application.js'
import { ConsensusEngine } from '../../src/services/sequencer/engine.js'
import { EvidencePool } from '../../src/services/sequencer/evidence-pool.js'
import type { HeightInProgress } from '../../src/services/sequencer/explain/height-in-progress.js'
import type { NoBlockFacts } from '../../src/services/sequencer/explain/no-block-reason.js'
import { type AggregationConfig, defaultAggregation } from '../../src/services/sequencer/votes/near-aggregator.js'
import { Syncer } from '../../src/services/syncer/syncer.js'
import { CallHistory, type GrammarViolation, watchApplication } from '../fixtures/application-grammar.js'

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
  transactions = [],
}: {
  parent: ParentBlock | null
  timestampMs: number
  proposerIndex: number
  transactions?: readonly Uint8Array[]
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
    transactionsRoot: transactionsRootOf(transactions),
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
  return { hash: headerHash(header), header, context, transactions, withdrawals: [] }
}

/** Signs a vote in the network's `signingMs`, as a remote signer would. */
class LateSigner extends GuardedSigner {
  constructor(
    private readonly net: TestConsensusNetwork,
    private readonly index: number,
    args: ConstructorParameters<typeof GuardedSigner>[0],
  ) {
    super(args)
  }

  override async signVote(content: VoteToSign): Promise<Uint8Array> {
    const signature = await super.signVote(content)
    const lateMs = this.net.signingMs(this.index)
    if (lateMs > 0) await pause(this.net.clock, lateMs)
    return signature
  }
}

/** What survives a crash of a node. */
export class Disk {
  readonly store = new MemoryStore()
  readonly record = new MemorySigningRecord()
  readonly chain: CertifiedBlock[] = []

  constructor(
    readonly wal: AppendLog = new MemoryLog(),
    /** What the application was asked and answered, over all runs. */
    readonly history = new CallHistory(),
  ) {}
}

/** One running sequencer: real engine, syncer, signer and log over memory wires; the chain is a list. */
export class TestNode {
  readonly fatal: unknown[] = []
  private readonly listeners: ((committed: CertifiedBlock) => void)[] = []
  private readonly wakers: (() => void)[] = []
  evidence: EvidencePool | null = null
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
          prove: async () => {},
          import: async certified => {
            const { block, certificate } = certified
            if (block.header.number === disk.chain.length + 1)
              node.append({ block: decodeOwnBlock(block.encoded), certificate })
            return ok(undefined)
          },
          onCommitted: listener => node.listeners.push(listener),
          isForged: async () => false,
          versionHalt: () => null,
        },
        network: wires,
        sets,
        clock: net.clock,
        logger: silentLogger,
        metrics: silentMetrics,
        fail: error => node.fatal.push(error),
      },
    )
    node.evidence = await EvidencePool.open({
      domain,
      ports: {
        store: disk.store,
        network: wires,
        setOf: () => net.set,
        clock: net.clock,
        logger: silentLogger,
        metrics: silentMetrics,
      },
    })
    node.engine = await ConsensusEngine.start({
      config: {
        protocol: createProtocolSchedule({ parameters: net.parameters }),
        domain,
        aggregation: net.aggregation,
      },
      ports: {
        application: watchApplication(
          {
            prepareProposal: async () => {
              const parent = node.head()
              await net.builds(index)
              return makeBlock({
                parent,
                timestampMs: Math.max(net.clock.nowMs(), parent.context.timestampMs + 100),
                proposerIndex: index,
              })
            },
            processProposal: async () => net.judges(index),
            extendVote: ({ height }) => uintToBytes(height, 8),
            verifyVoteExtension: () => {},
            finalizeBlock: async certified => node.append(certified),
          },
          {
            onViolation: violation => net.violations.push(violation),
            history: disk.history,
            head: () => disk.chain.length,
            place: () => ({ set: net.set, self: index }),
          },
        ),
        work: { hasWork: () => net.busy, onWork: listener => node.wakers.push(listener) },
        head: () => node.head(),
        takesPart: () => true,
        sets,
        signer: net.signer(index, disk.record),
        verifier: inlineSignatureVerifier,
        network: wires,
        wal: disk.wal,
        clock: net.clock,
        logger: silentLogger,
        metrics: silentMetrics,
        onEquivocation: (first, second) => node.evidence?.reportMessages(first, second),
        onFatal: error => node.fatal.push(error),
      },
    })
    return node
  }

  /** What `explain` is decided by at this node. */
  facts(): NoBlockFacts & { readonly progress: HeightInProgress } {
    const behind = this.syncer!.bestKnownHeight() - this.height
    return { progress: this.engine!.inProgress(), behind, halt: null, parameters: devnetParameters }
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
    // As in a node, where the mempool hears of a head before the engine does.
    this.wake()
    this.engine?.onHead()
  }
}

/** A network of sequencers in virtual time. */
export class TestConsensusNetwork {
  readonly clock = new VirtualClock(1_700_000_000_000)
  readonly parameters = devnetParameters
  aggregation: AggregationConfig = defaultAggregation
  readonly keys: BlsSecretKey[]
  readonly set: SequencerSet
  readonly hub: MemoryHub
  readonly nodes = new Map<number, TestNode>()
  readonly disks = new Map<number, Disk>()
  /** Whether there is always something to put into a block. */
  busy = true
  /** How long a member's signature of a vote takes. */
  signingMs: (index: number) => number = () => 0
  /** What the engines asked of their applications against the grammar of spec/consensus.md. */
  readonly violations: GrammarViolation[] = []
  /** The signer of the node of this index. */
  signer: (index: number, record: MemorySigningRecord) => ConsensusSigner = (index, record) =>
    new LateSigner(this, index, { secretKey: this.keys[index]!, domain, record })
  /** Says which messages are lost. */
  loses: (passage: Passage, content: Uint8Array) => boolean = () => false
  /** Runs before the node of this index builds a block. */
  builds: (index: number) => Promise<void> = async () => {}
  /** How the node of this index judges a proposal. */
  judges: (index: number) => Promise<Result<void, ProposalRefused>> = async () => ok(undefined)

  constructor(size: number) {
    this.keys = Array.from({ length: size }, (_, i) => BlsSecretKey.fromSeed(new Uint8Array(32).fill(i + 1)))
    this.set = setOfKeys({ keys: this.keys })
    this.hub = new MemoryHub({
      clock: this.clock,
      delayMs: () => 1,
      loses: (passage, content) => this.loses(passage, content),
    })
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
    for (const { rule, data } of this.violations) problems.push(`${rule} ${JSON.stringify(data)}`)
    return problems
  }
}
