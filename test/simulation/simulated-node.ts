import { assembleNode, type NodeServices, type NodeTerms } from '../../src/app/node/assemble-node.js'
import { Lifecycle } from '../../src/app/node/lifecycle.js'
import type { BlsSecretKey } from '../../src/base/crypto/bls.js'
import { inlineCompression } from '../../src/io/compression/inline-compression.js'
import { createInProcessExecution } from '../../src/io/execution/embedded/in-process-execution.js'
import type { ExecutionClient } from '../../src/io/execution/execution-client.js'
import type { Genesis } from '../../src/io/execution/genesis.js'
import type { ConsensusSigner, Observation } from '../../src/io/keys/consensus-signer.js'
import { GuardedSigner } from '../../src/io/keys/guarded-signer.js'
import { inlineSignatureVerifier } from '../../src/io/keys/signature-verifier.js'
import type { MemoryHub, MemoryNetwork } from '../../src/io/network/memory-network.js'
import type { PeerNetwork } from '../../src/io/network/peer-network.js'
import type { SenderRecovery } from '../../src/io/recovery/sender-recovery.js'
import { type Logger, silentLogger } from '../../src/io/telemetry/logger.js'
import { silentMetrics } from '../../src/io/telemetry/metrics.js'
import type { Clock } from '../../src/io/time/clock.js'
import type { ProtocolSchedule } from '../../src/rules/upgrades/protocol-schedule.js'
import type { CommittedBlock } from '../../src/services/chain/chain.js'
import type { AggregationConfig } from '../../src/services/sequencer/votes/near-aggregator.js'
import { CallHistory, watchApplication } from '../fixtures/application-grammar.js'
import type { SeededRandom } from '../model/seeded-random.js'
import { byzantineExecution } from './byzantine-execution.js'
import { ByzantineNetwork } from './byzantine-network.js'
import { hashKzg } from './hash-kzg.js'
import { Hostility } from './hostility.js'
import { nodeName } from './node-name.js'
import { MachineClock, ProcessLife } from './process-life.js'
import { sharedCompression } from './shared-compression.js'
import { type DiskCrash, SimulatedDisk } from './simulated-disk.js'
import type { L1Endpoint } from './simulated-l1.js'

/** What happens at a node that the invariants watch. */
export interface NodeWatch {
  committed(node: SimulatedNode, committed: CommittedBlock): void
  /** The node gave up, and why. */
  gaveUp(node: SimulatedNode, error: unknown): void
  logged(node: SimulatedNode, message: string, fields: Readonly<Record<string, unknown>>): void
  /** The signer as the node uses it. */
  signer(node: SimulatedNode, signer: ConsensusSigner): ConsensusSigner
}

export interface NodeMachine {
  readonly index: number
  readonly time: Clock
  /** Which of its timers are early. */
  readonly timers: SeededRandom
  readonly hub: MemoryHub
  readonly terms: NodeTerms
  readonly genesis: Genesis
  readonly secretKey: BlsSecretKey
  readonly submitter: `0x${string}`
  readonly l1: L1Endpoint
  readonly recovery: SenderRecovery
  /** Whether it may be Byzantine. */
  readonly isFaulty: boolean
  /** Undefined: as in the product, where so few nodes do not aggregate. */
  readonly aggregation: AggregationConfig | undefined
  readonly watch: NodeWatch
}

const compression = sharedCompression(inlineCompression)

/** How long an operator takes to start a node that gave up. */
const operatorMs = 3_000

/** One sequencer of the simulated network: the services of a real node on a ground in memory, which crashes and comes back. */
export class SimulatedNode {
  /** What the application of this node was asked, over all its processes. */
  private calls = new CallHistory()
  /** What its next process knows of the protocol. */
  protocol: ProtocolSchedule
  readonly disk: SimulatedDisk
  readonly clock: MachineClock
  readonly hostility = new Hostility()
  services: NodeServices | null = null
  private life: ProcessLife | null = null
  private wires: MemoryNetwork | null = null
  /** Crashes that hold it down now. */
  private heldDown = 0
  /** The newest head that it is known to have had. */
  private reached = 0

  constructor(readonly machine: NodeMachine) {
    this.disk = new SimulatedDisk(machine.time)
    this.clock = new MachineClock(machine.time, machine.timers)
    this.protocol = machine.terms.protocol
  }

  get index(): number {
    return this.machine.index
  }

  get l1(): L1Endpoint {
    return this.machine.l1
  }

  get isUp(): boolean {
    return this.services !== null
  }

  height(): number {
    return this.services?.chain.height() ?? 0
  }

  start(): void {
    if (this.life || this.heldDown > 0) return
    const life = new ProcessLife()
    this.life = life
    this.open(life).catch(error => this.fail(life, error))
  }

  /** Ends the process at once; `release` lets it start again. */
  crash(crash: DiskCrash): void {
    this.heldDown++
    this.end(crash)
  }

  release(): void {
    this.heldDown--
    this.start()
  }

  /** Its next process has the software and network file of today. */
  upgrade(): void {
    const { protocol } = this.machine.terms
    const next = this.reached + 1
    // What it judged of this height by the version of before counts for nothing.
    if (this.protocol.at(next).version !== protocol.at(next).version) this.calls = new CallHistory()
    this.protocol = protocol
  }

  private end(crash: DiskCrash): void {
    if (!this.life) return
    this.life.end()
    this.disk.crash(crash)
    void this.wires?.close()
    this.life = null
    this.wires = null
    this.services = null
  }

  private async open(life: ProcessLife): Promise<void> {
    const { machine, disk } = this
    const { genesis, secretKey, hub, watch, isFaulty } = machine
    const terms = { ...machine.terms, protocol: this.protocol }
    const clock = this.clock.of(life)
    const execution = await createInProcessExecution({ store: disk.chain.open(life), genesis })
    const wires = hub.prepare({ id: nodeName(machine.index), consensusKey: secretKey.publicKey() })
    this.wires = wires
    const Signer = isFaulty ? CarelessSigner : GuardedSigner
    const guarded = new Signer({ secretKey, domain: terms.domain, record: disk.signingRecord.open(life) })
    const logger = this.logger()
    const services = await assembleNode({
      terms,
      lifecycle: new Lifecycle(logger),
      ground: {
        clock,
        logger,
        metrics: silentMetrics,
        store: disk.store.open(life),
        execution: isFaulty ? this.hostileExecution(execution) : execution,
        network: isFaulty ? this.hostileWires(wires) : wires,
        reader: machine.l1.reader(life),
        recovery: machine.recovery,
        verifier: inlineSignatureVerifier,
        compression,
        kzg: hashKzg,
        mempoolJournal: disk.journal.open(life),
        sequencing: {
          signer: watch.signer(this, guarded),
          wal: disk.wal.open(life),
          ...(machine.aggregation && { aggregation: machine.aggregation }),
        },
        submitter: machine.l1.submitter(machine.submitter, life),
        watchApplication: (application, head) =>
          isFaulty
            ? application
            : watchApplication(application, {
                onViolation: violation => watch.gaveUp(this, violation),
                history: this.calls,
                head,
                place: () => ({ set: terms.genesisSet, self: machine.index }),
              }),
        fail: error => this.fail(life, error),
      },
    })
    if (!life.isAlive) return
    this.reached = services.chain.height()
    services.chain.onCommitted(committed => {
      this.reached = committed.block.header.number
      watch.committed(this, committed)
    })
    this.services = services
    wires.start()
  }

  private fail(life: ProcessLife, error: unknown): void {
    if (!life.isAlive) return
    this.machine.watch.gaveUp(this, error)
    this.end({ power: false, torn: 0 })
    this.machine.time.schedule(operatorMs, () => this.start())
  }

  private hostileExecution(inner: ExecutionClient): ExecutionClient {
    return byzantineExecution({ inner, hostility: this.hostility, set: this.machine.terms.genesisSet })
  }

  private hostileWires(inner: PeerNetwork): PeerNetwork {
    const { index, secretKey, terms } = this.machine
    const members = terms.genesisSet.members.length
    return new ByzantineNetwork({
      inner,
      hostility: this.hostility,
      secretKey,
      member: index,
      members,
      domain: terms.domain,
    })
  }

  private logger(): Logger {
    const { watch } = this.machine
    const tell = (message: string, fields: Readonly<Record<string, unknown>> = {}) =>
      watch.logged(this, message, fields)
    const logger: Logger = { ...silentLogger, warn: tell, error: tell, child: () => logger }
    return logger
  }
}

/** The signer of a node that may be Byzantine: what its key signed behind its back does not stop it. */
class CarelessSigner extends GuardedSigner {
  override async observe(): Promise<Observation> {
    return 'expected'
  }
}
