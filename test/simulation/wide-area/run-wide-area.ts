import { BlsSecretKey } from '../../../src/base/crypto/bls.js'
import { keccak256 } from '../../../src/base/crypto/keccak.js'
import { uintToBytes } from '../../../src/base/primitives/bytes.js'
import { invariant } from '../../../src/base/primitives/invariant.js'
import { defaultParameters } from '../../../src/base/protocol/protocol-parameters.js'
import { setOfKeys } from '../../../src/base/protocol/sequencer-set.fixture.js'
import { isQuorum } from '../../../src/base/protocol/sequencer-set.js'
import { MemoryHub, type Passage } from '../../../src/io/network/memory-network.js'
import { VirtualClock } from '../../../src/io/time/virtual-clock.js'
import { latencyFloorMs, mean, median } from './latency-floor.js'
import { readRegionLatencies } from './region-latencies.js'
import { type BlockMoments, WideAreaNode } from './wide-area-node.js'

/** A height may take so long on the average, connections included. */
const maxMsPerHeight = 10_000
const bytesPerMs = 1_000_000_000 / 8 / 1_000
/** Ethernet, IP, TCP, encryption and framing around each message. */
const overheadBytes = 120

export interface WideAreaOptions {
  readonly members: number
  readonly heights: number
  /** Bytes of transactions in each block. */
  readonly transactionBytes: number
}

/** What a network spread over the regions of the world does. Times in virtual milliseconds. */
export interface WideAreaReport {
  readonly members: number
  readonly regions: number
  readonly heights: number
  /** From the proposal to the decision at the median node, mean over the blocks. */
  readonly decisionMs: number
  /** What the latencies alone would need. */
  readonly floorMs: number
  readonly blockTimeMs: number
  /** Sent by a node, mean over the nodes, while blocks were made without a pause. */
  readonly megabitPerSec: number
  readonly kilobytesPerBlock: number
  /** CPU of one node for one block, as the cost table has it. */
  readonly cpuMsPerBlock: number
  /** Heights that were not decided in round 0. */
  readonly lateHeights: number
}

/** Runs the real engines of a network in virtual time: region latencies, links of 1 Gbit/s, CPU as measured. */
export async function runWideArea({ members, heights, transactionBytes }: WideAreaOptions): Promise<WideAreaReport> {
  const clock = new VirtualClock(1_700_000_000_000)
  const { regions, oneWayMs } = readRegionLatencies()
  const latency = (from: number, to: number) => oneWayMs(from % regions.length, to % regions.length)
  const links = new Links(clock, latency, members)
  const hub = new MemoryHub({ clock, delayMs: passage => links.delayMs(passage) })
  const keys = Array.from({ length: members }, (_, i) => BlsSecretKey.fromSeed(keccak256(uintToBytes(i, 32))))
  const set = setOfKeys({ keys })
  const moments: BlockMoments = { proposedMs: new Map(), decidedMs: new Map(), late: new Set() }
  const world = { clock, hub, set, keys, parameters: defaultParameters, transactionBytes, moments, verdicts: new Map() }
  const nodes = keys.map((_, i) => new WideAreaNode(i, world))
  for (const node of nodes) await node.start()
  const atLeast = async (height: number) => {
    const untilMs = clock.nowMs() + height * maxMsPerHeight
    while (Math.min(...nodes.map(node => node.height)) < height) {
      invariant(clock.nowMs() < untilMs, 'a network without faults decides its heights', { height })
      await clock.advance(50)
      const fatal = nodes.flatMap(node => node.fatal)
      if (fatal.length > 0) throw fatal[0]
    }
  }
  // Connections come up, the first proposers meet nobody, and while a height is new to them nodes take it for a standstill.
  const first = 6
  await atLeast(first)
  const began = { ms: clock.nowMs(), bytes: links.totalBytes(), cpuMs: cpuOf(nodes) }
  await atLeast(first + heights)
  const elapsedMs = clock.nowMs() - began.ms
  for (const node of nodes) await node.stop()

  const measured = Array.from({ length: heights }, (_, i) => first + 1 + i)
  let quorum = 0
  while (!isQuorum(set, BigInt(quorum))) quorum++
  const bytes = (links.totalBytes() - began.bytes) / members
  return {
    members,
    regions: regions.length,
    heights,
    decisionMs: mean(
      measured.map(height => median(moments.decidedMs.get(height)!.map(at => at - moments.proposedMs.get(height)!))),
    ),
    floorMs: latencyFloorMs({ members, quorum, oneWayMs: latency }),
    blockTimeMs: elapsedMs / heights,
    megabitPerSec: (bytes * 8) / 1_000 / elapsedMs,
    kilobytesPerBlock: bytes / 1_000 / heights,
    cpuMsPerBlock: (cpuOf(nodes) - began.cpuMs) / members / heights,
    lateHeights: measured.filter(height => moments.late.has(height)).length,
  }
}

function cpuOf(nodes: readonly WideAreaNode[]): number {
  return nodes.reduce(
    (sum, { main, verifying, executing }) => sum + main.busyMs + verifying.busyMs + executing.busyMs,
    0,
  )
}

/** The links of all nodes: what one sends leaves one after the other at 1 Gbit/s, then takes the latency. */
class Links {
  private readonly freeAtMs: number[]
  private bytes = 0

  constructor(
    private readonly clock: VirtualClock,
    private readonly latencyMs: (from: number, to: number) => number,
    members: number,
  ) {
    this.freeAtMs = new Array<number>(members).fill(0)
  }

  delayMs({ from, to, bytes }: Passage): number {
    const [sender, receiver] = [numberOf(from), numberOf(to)]
    const now = this.clock.nowMs()
    const sentAtMs = Math.max(now, this.freeAtMs[sender]!) + (bytes + overheadBytes) / bytesPerMs
    this.freeAtMs[sender] = sentAtMs
    this.bytes += bytes + overheadBytes
    return sentAtMs - now + this.latencyMs(sender, receiver)
  }

  totalBytes(): number {
    return this.bytes
  }
}

const numberOf = (peer: string) => Number(peer.slice('node-'.length))
