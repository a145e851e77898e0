import { assembleNode, type NodeServices, type NodeTerms } from '../../src/app/node/assemble-node.js'
import { l2GenesisBatch } from '../../src/app/node/l2-genesis.js'
import { Lifecycle } from '../../src/app/node/lifecycle.js'
import { BlsSecretKey, parseBlsPublicKey } from '../../src/base/crypto/bls.js'
import { keccak256Hex } from '../../src/base/crypto/keccak.js'
import { bytesToHex, uintToBytes } from '../../src/base/primitives/bytes.js'
import type { Address } from '../../src/base/primitives/hashes.js'
import { weiPerGwei } from '../../src/base/primitives/quantities.js'
import { devnetParameters } from '../../src/base/protocol/protocol-parameters.js'
import { makeSequencerSet } from '../../src/base/protocol/sequencer-set.js'
import { inlineCompression } from '../../src/io/compression/inline-compression.js'
import { createInProcessExecution } from '../../src/io/execution/embedded/in-process-execution.js'
import type { ExecutionClient } from '../../src/io/execution/execution-client.js'
import type { Genesis } from '../../src/io/execution/genesis.js'
import { GuardedSigner } from '../../src/io/keys/guarded-signer.js'
import { MemorySigningRecord } from '../../src/io/keys/memory-signing-record.js'
import { inlineSignatureVerifier } from '../../src/io/keys/signature-verifier.js'
import type { Kzg } from '../../src/io/kzg/kzg.js'
import type { L1Reader } from '../../src/io/l1/l1-client.js'
import { MemoryL1 } from '../../src/io/l1/memory-l1.js'
import { MemoryHub, type MemoryNetwork } from '../../src/io/network/memory-network.js'
import { createInlineRecovery } from '../../src/io/recovery/inline-recovery.js'
import { MemoryLog } from '../../src/io/storage/memory-log.js'
import { MemoryStore } from '../../src/io/storage/memory-store.js'
import type { Logger } from '../../src/io/telemetry/logger.js'
import { type Metrics, silentMetrics } from '../../src/io/telemetry/metrics.js'
import { VirtualClock } from '../../src/io/time/virtual-clock.js'
import { createProtocolSchedule } from '../../src/rules/upgrades/protocol-schedule.js'

const account = (n: number): Address => bytesToHex(uintToBytes(n, 20))
/** Who deposits on L1. */
export const alice = account(0xa1)
/** Who never deposited where all can see it. */
export const mallory = account(0x66)
const startSec = 1_700_000_000
const domain = { l1ChainId: 31_337, rollup: account(0xaa) }
const size = 4

function mineOn(l1: MemoryL1, gweis: readonly bigint[], to = alice): void {
  for (const gwei of gweis) l1.deposit({ sender: to, to, amount: gwei * weiPerGwei })
  l1.mine()
}

/** Batches are not what is looked at: blobs are named by hashes alone. */
const hashKzg: Kzg = {
  commitment: async blob => ({ commitment: new Uint8Array(48), versionedHash: keccak256Hex(blob) }),
  cellProofs: async () => [],
  close: async () => {},
}

/** One sequencer, all of whose services are real; its view of L1 is the test's to choose at any time. */
export class ViewingNode {
  readonly failures: unknown[] = []
  readonly warnings: { message: string; fields: Readonly<Record<string, unknown>> }[] = []
  readonly gauges = new Map<string, number>()
  l1: L1Reader
  services!: NodeServices
  execution!: ExecutionClient
  private lifecycle!: Lifecycle
  private wires!: MemoryNetwork

  private constructor(l1: L1Reader) {
    this.l1 = l1
  }

  static async start(net: L1ViewsNetwork, member: number): Promise<ViewingNode> {
    const node = new ViewingNode(net.l1.reader())
    const secretKey = net.keys[member]!
    node.execution = await createInProcessExecution({ store: new MemoryStore(), genesis: net.genesis })
    node.wires = net.hub.join({ id: `node-${member}`, consensusKey: secretKey.publicKey() })
    const logger = node.logger()
    node.lifecycle = new Lifecycle(logger)
    node.services = await assembleNode({
      terms: net.terms,
      lifecycle: node.lifecycle,
      ground: {
        clock: net.clock,
        logger,
        metrics: node.metrics(),
        store: new MemoryStore(),
        execution: node.execution,
        network: node.wires,
        reader: node.reader(),
        recovery: createInlineRecovery(),
        verifier: inlineSignatureVerifier,
        compression: inlineCompression,
        kzg: hashKzg,
        mempoolJournal: new MemoryLog(),
        sequencing: {
          signer: new GuardedSigner({ secretKey, domain, record: new MemorySigningRecord() }),
          wal: new MemoryLog(),
        },
        submitter: null,
        fail: error => void node.failures.push(error),
      },
    })
    return node
  }

  get height(): number {
    return this.services.chain.height()
  }

  async balance(of: Address): Promise<bigint> {
    const [state] = await this.execution.accounts([of])
    return state!.balance
  }

  /** Reasons for which it refused proposals. */
  refusals(): string[] {
    return this.warnings
      .filter(({ message }) => message === 'proposal refused')
      .map(({ fields }) => String(fields.reason))
  }

  /** Heights of decided blocks whose deposits are others in its view of L1. */
  contradictions(): unknown[] {
    const message = 'a decided block has deposits that are others in this view of L1'
    return this.warnings.filter(warning => warning.message === message).map(({ fields }) => fields.height)
  }

  async stop(): Promise<void> {
    await this.wires.close()
    await this.lifecycle.stop()
  }

  private reader(): L1Reader {
    return {
      head: () => this.l1.head(),
      finalized: () => this.l1.finalized(),
      block: number => this.l1.block(number),
      events: range => this.l1.events(range),
      committedBatch: hash => this.l1.committedBatch(hash),
      blobs: args => this.l1.blobs(args),
      sequencerSet: id => this.l1.sequencerSet(id),
      lastCommittedBatch: () => this.l1.lastCommittedBatch(),
      lastFinalizedBatch: () => this.l1.lastFinalizedBatch(),
      committedAt: index => this.l1.committedAt(index),
    }
  }

  private metrics(): Metrics {
    const gauge = (name: string) => ({ set: (value: number) => void this.gauges.set(name, value) })
    return { ...silentMetrics, gauge }
  }

  private logger(): Logger {
    const note = (message: string, fields: Readonly<Record<string, unknown>> = {}) =>
      void this.warnings.push({ message, fields })
    const logger: Logger = { debug() {}, info() {}, warn: note, error: note, child: () => logger }
    return logger
  }
}

/** Four sequencers on one honest L1 that mines a block a second, in virtual time. */
export class L1ViewsNetwork {
  readonly clock = new VirtualClock((startSec + 10) * 1_000)
  readonly l1: MemoryL1
  /** The other side of an L1 fork: the same blocks up to `forkOff`, others with other deposits after. */
  fork: MemoryL1 | null = null
  readonly hub = new MemoryHub({ clock: this.clock, delayMs: () => 2 })
  readonly keys = Array.from({ length: size }, (_, i) => BlsSecretKey.fromSeed(new Uint8Array(32).fill(i + 1)))
  readonly genesis: Genesis
  readonly terms: NodeTerms
  readonly nodes: ViewingNode[] = []
  private readonly mined: { deposits: readonly bigint[] }[] = []

  private constructor() {
    const set = makeSequencerSet(
      1,
      this.keys.map((key, i) => ({
        operator: account(0x100 + i),
        submitter: account(0x200 + i),
        feeRecipient: account(0x300 + i),
        publicKey: parseBlsPublicKey(key.publicKey())!,
        power: 1n,
      })),
    )
    this.genesis = {
      chainId: 7,
      timestamp: startSec,
      gasLimit: devnetParameters.gasLimit,
      l1OriginNumber: 0,
      l1OriginHash: keccak256Hex(uintToBytes(0, 32)),
      alloc: {},
    }
    this.terms = {
      role: 'sequencer',
      protocol: createProtocolSchedule({ parameters: devnetParameters }),
      domain,
      l2ChainId: this.genesis.chainId,
      genesisBatch: l2GenesisBatch(this.genesis),
      l1StartBlock: 0,
      l1BlockTimeSec: 1,
      genesisSet: set,
    }
    this.l1 = this.makeL1()
  }

  static async start(): Promise<L1ViewsNetwork> {
    const net = new L1ViewsNetwork()
    net.mine([])
    for (let member = 0; member < size; member++) net.nodes.push(await ViewingNode.start(net, member))
    await net.run(2)
    return net
  }

  /** Mines a block with these deposits, in gwei, to alice. */
  mine(deposits: readonly bigint[]): void {
    this.mined.push({ deposits })
    mineOn(this.l1, deposits)
    if (this.fork) mineOn(this.fork, [1_000n], mallory)
  }

  /** From now on there is another L1 chain too, which pays mallory in each block. */
  forkOff(): MemoryL1 {
    this.fork = this.makeL1()
    for (const { deposits } of this.mined) mineOn(this.fork, deposits)
    this.fork.reorg({ depth: 1, blocks: 0 })
    mineOn(this.fork, [1_000n], mallory)
    return this.fork
  }

  /** Lets seconds pass; each has an L1 block with one deposit of one gwei for alice. */
  async run(seconds: number): Promise<void> {
    for (let i = 0; i < seconds; i++) {
      this.mine([1n])
      await this.clock.advance(1_000)
    }
  }

  /** Wei that alice was given on L1 so far, without those of the last `blocks` blocks. */
  deposited(blocks = 0): bigint {
    const counted = this.mined.slice(0, this.mined.length - blocks)
    return counted.flatMap(({ deposits }) => deposits).reduce((sum, gwei) => sum + gwei * weiPerGwei, 0n)
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) await node.stop()
  }

  private makeL1(): MemoryL1 {
    return new MemoryL1({
      ...devnetParameters,
      domain,
      sets: [],
      genesis: this.terms.genesisBatch,
      startSec,
      blockSec: 1,
      finalityDepth: 3,
    })
  }
}
