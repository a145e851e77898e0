import { aggregateSignatures, type BlsSecretKey } from '../../../src/base/crypto/bls.js'
import { bytesToHex } from '../../../src/base/primitives/bytes.js'
import { ok } from '../../../src/base/primitives/result.js'
import type { CertifiedBlock } from '../../../src/base/protocol/block.js'
import type { ProtocolParameters } from '../../../src/base/protocol/protocol-parameters.js'
import type { SequencerSet } from '../../../src/base/protocol/sequencer-set.js'
import type { ConsensusSigner } from '../../../src/io/keys/consensus-signer.js'
import { GuardedSigner } from '../../../src/io/keys/guarded-signer.js'
import { MemorySigningRecord } from '../../../src/io/keys/memory-signing-record.js'
import {
  inlineSignatureVerifier,
  type SignatureVerifier,
  type SignedDigest,
} from '../../../src/io/keys/signature-verifier.js'
import type { MemoryHub, MemoryNetwork } from '../../../src/io/network/memory-network.js'
import { MemoryLog } from '../../../src/io/storage/memory-log.js'
import { silentLogger } from '../../../src/io/telemetry/logger.js'
import { silentMetrics } from '../../../src/io/telemetry/metrics.js'
import type { Clock } from '../../../src/io/time/clock.js'
import type { ParentBlock } from '../../../src/rules/blocks/block-attributes.js'
import { createProtocolSchedule } from '../../../src/rules/upgrades/protocol-schedule.js'
import type { Application } from '../../../src/services/sequencer/application.js'
import { ConsensusEngine } from '../../../src/services/sequencer/engine.js'
import { defaultAggregation } from '../../../src/services/sequencer/votes/near-aggregator.js'
import { chainEntry, domain, genesis, makeBlock } from '../../integration/consensus-network.js'
import { cpuCosts, SimulatedThread } from './cpu-costs.js'

/** When a node took part in a block. Virtual milliseconds. */
export interface BlockMoments {
  readonly proposedMs: Map<number, number>
  readonly decidedMs: Map<number, number[]>
  /** Heights that were not decided in round 0. */
  readonly late: Set<number>
}

/** One sequencer of a wide-area network: the real engine, its threads and wires taking the time that they take for real. */
export class WideAreaNode {
  readonly main: SimulatedThread
  readonly verifying: SimulatedThread
  readonly executing: SimulatedThread
  readonly fatal: unknown[] = []
  private readonly chain: CertifiedBlock[] = []
  private engine: ConsensusEngine | null = null

  constructor(
    private readonly index: number,
    private readonly world: {
      readonly clock: Clock
      readonly hub: MemoryHub
      readonly set: SequencerSet
      readonly keys: readonly BlsSecretKey[]
      readonly parameters: ProtocolParameters
      readonly transactionBytes: number
      readonly moments: BlockMoments
      readonly verdicts: Map<string, boolean>
    },
  ) {
    this.main = new SimulatedThread(world.clock, cpuCosts.wakeUp)
    this.verifying = new SimulatedThread(world.clock)
    this.executing = new SimulatedThread(world.clock)
  }

  get height(): number {
    return this.chain.length
  }

  async start(): Promise<void> {
    const { world, index } = this
    const key = world.keys[index]!
    const wires = world.hub.join({ id: `node-${index}`, consensusKey: key.publicKey() })
    const application = this.application()
    this.engine = await ConsensusEngine.start({
      config: {
        protocol: createProtocolSchedule({ parameters: world.parameters }),
        domain,
        aggregation: defaultAggregation,
      },
      ports: {
        application,
        work: { hasWork: () => true, onWork: () => {} },
        head: () => this.head(),
        takesPart: () => true,
        sets: { setAt: () => world.set },
        signer: this.signer(new GuardedSigner({ secretKey: key, domain, record: new MemorySigningRecord() })),
        verifier: this.verifier(),
        network: this.network(wires),
        wal: new MemoryLog(),
        clock: world.clock,
        logger: silentLogger,
        metrics: silentMetrics,
        onEquivocation: () => {},
        onFatal: error => this.fatal.push(error),
      },
    })
  }

  async stop(): Promise<void> {
    await this.engine?.stop()
  }

  private head(): ParentBlock {
    const last = this.chain.at(-1)
    return last ? chainEntry(last.block) : genesis
  }

  private application(): Application {
    const { world, executing } = this
    const { clock, moments } = world
    return {
      prepareProposal: async () => {
        await executing.run(cpuCosts.build)
        const parent = this.head()
        const timestampMs = Math.max(clock.nowMs(), parent.context.timestampMs + world.parameters.minBlockIntervalMs)
        return makeBlock({
          parent,
          timestampMs: Math.floor(timestampMs),
          proposerIndex: this.index,
          transactions: [new Uint8Array(world.transactionBytes)],
        })
      },
      processProposal: async () => {
        await executing.run(cpuCosts.judge)
        return ok(undefined)
      },
      extendVote: () => new Uint8Array(0),
      verifyVoteExtension: () => {},
      finalizeBlock: async certified => {
        const height = certified.block.header.number
        if (certified.certificate.round > 0) moments.late.add(height)
        moments.decidedMs.set(height, [...(moments.decidedMs.get(height) ?? []), clock.nowMs()])
        await executing.run(cpuCosts.commit)
        this.chain.push(certified)
        this.engine?.onHead()
      },
    }
  }

  private signer(inner: GuardedSigner): ConsensusSigner {
    const { main, world } = this
    const signing =
      <Content, Answer>(sign: (content: Content) => Promise<Answer>) =>
      async (content: Content) => {
        await main.run(cpuCosts.sign)
        return sign(content)
      }
    return {
      publicKey: inner.publicKey,
      instanceId: inner.instanceId,
      stop: null,
      isReachable: true,
      observe: message => inner.observe(message),
      raiseFloor: height => inner.raiseFloor(height),
      signProposal: signing(content => {
        if (!world.moments.proposedMs.has(content.height))
          world.moments.proposedMs.set(content.height, world.clock.nowMs())
        return inner.signProposal(content)
      }),
      signVote: signing(content => inner.signVote(content)),
      signAttestation: content => inner.signAttestation(content),
      signNodeBinding: content => inner.signNodeBinding(content),
      close: () => inner.close(),
    }
  }

  private verifier(): Pick<SignatureVerifier, 'verify' | 'sum'> {
    const { main, verifying } = this
    return {
      sum: async batch => {
        const { signed } = batch
        await verifying.run(cpuCosts.verifyPairing + cpuCosts.aggregateEach * signed.length + addingKeys(batch))
        const verdicts = await this.verdicts(batch)
        return verdicts.every(Boolean) ? aggregateSignatures(signed.map(({ signature }) => signature)) : null
      },
      verify: async batch => {
        // What is checked is summed once at most: into an aggregate or a certificate.
        main.occupy(cpuCosts.aggregateEach * batch.signed.length, () => {})
        await verifying.run(cpuCosts.verifyPairing + cpuCosts.verifyEach * batch.signed.length + addingKeys(batch))
        return this.verdicts(batch)
      },
    }
  }

  /** They are the same at every node, so that each signature is really checked once for all of them. */
  private async verdicts({ digest, signed }: SignedDigest): Promise<boolean[]> {
    const { verdicts: known } = this.world
    const verdicts: boolean[] = []
    for (const one of signed) {
      const id = `${bytesToHex(digest)}${bytesToHex(one.signature)}${one.keys.map(key => bytesToHex(key.bytes))}`
      let verdict = known.get(id)
      if (verdict === undefined) {
        verdict = (await inlineSignatureVerifier.verify({ digest, signed: [one] }))[0]!
        known.set(id, verdict)
      }
      verdicts.push(verdict)
    }
    return verdicts
  }

  private network(wires: MemoryNetwork) {
    const { main } = this
    return {
      peers: () => wires.peers(),
      roundTripMs: (peer: string) => wires.roundTripMs(peer),
      send: (...[peer, channel, message]: Parameters<MemoryNetwork['send']>) =>
        main.occupy(cpuCosts.send, () => wires.send(peer, channel, message)),
      onMessage: (...[channel, handler]: Parameters<MemoryNetwork['onMessage']>) =>
        wires.onMessage(channel, (from, message) => main.occupy(cpuCosts.receive, () => handler(from, message))),
      onConnect: (handler: Parameters<MemoryNetwork['onConnect']>[0]) => wires.onConnect(handler),
      onDisconnect: (handler: Parameters<MemoryNetwork['onDisconnect']>[0]) => wires.onDisconnect(handler),
      drop: (...[peer, misbehaviour]: Parameters<MemoryNetwork['drop']>) => wires.drop(peer, misbehaviour),
    }
  }
}

const addingKeys = ({ signed }: SignedDigest): number =>
  cpuCosts.addKey * signed.reduce((sum, { keys }) => sum + keys.length, 0)
