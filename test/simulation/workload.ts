import { keccak256, keccak256Hex } from '../../src/base/crypto/keccak.js'
import { addressOfPrivateKey } from '../../src/base/crypto/secp256k1.js'
import { asciiToBytes, bytesToHex, type Hex, uintToBytes } from '../../src/base/primitives/bytes.js'
import type { Address } from '../../src/base/primitives/hashes.js'
import { weiPerGwei } from '../../src/base/primitives/quantities.js'
import { signTransaction } from '../../src/io/execution/sign-transaction.js'
import type { MemoryL1 } from '../../src/io/l1/memory-l1.js'
import type { Clock } from '../../src/io/time/clock.js'
import type { SubmissionResult } from '../../src/services/mempool/submission-result.js'
import type { SeededRandom } from '../model/seeded-random.js'
import type { SimulatedNode } from './simulated-node.js'

interface User {
  readonly key: Uint8Array
  readonly address: Address
  nonce: number
  /** The transaction that the user wants included next, until a node accepts it. */
  next: { readonly raw: Uint8Array; readonly hash: Hex; askedAtMs: number } | null
}

/** What nodes promised to users, and what became of it. */
export interface Promises {
  accepted(node: SimulatedNode, hash: Hex): void
  /** A transaction that no node may take was taken. */
  wronglyAccepted(node: SimulatedNode, what: string): void
  isIncluded(hash: Hex): boolean
}

const users = 24
/** Mean time between two submissions. */
const intervalMs = 60
/** A user whose node does not answer asks another after this. */
const patienceMs = 3_000
const depositIntervalMs = 4_000

/** The keys of the users, from the seed. */
export function userKeys(seed: string): Uint8Array[] {
  return Array.from({ length: users }, (_, i) => keccak256(asciiToBytes(`morphism simulation user ${seed} ${i}`)))
}

/** Users who send transfers to whatever node answers, some of them nonsense, and deposits on L1. */
export class Workload {
  private readonly users: User[]
  private isOver = false

  constructor(
    private readonly ports: {
      readonly chainId: number
      readonly seed: string
      readonly random: SeededRandom
      readonly time: Clock
      readonly nodes: readonly SimulatedNode[]
      readonly l1: MemoryL1
      readonly promises: Promises
    },
  ) {
    this.users = userKeys(ports.seed).map(key => ({ key, address: addressOfPrivateKey(key), nonce: 0, next: null }))
  }

  start(): void {
    this.tick()
    this.depositSoon()
  }

  /** Nothing new is sent from now on. */
  stop(): void {
    this.isOver = true
  }

  private tick(): void {
    const { random, time, nodes } = this.ports
    if (this.isOver) return
    time.schedule(1 + random.below(2 * intervalMs), () => this.tick())
    const up = nodes.filter(node => node.isUp)
    if (up.length === 0) return
    const node = random.pick(up)
    if (random.chance(0.04)) this.sendNonsense(node)
    else this.sendNext(node, random.pick(this.users))
  }

  private sendNext(node: SimulatedNode, user: User): void {
    const { random, time, promises } = this.ports
    const now = time.nowMs()
    if (user.next && promises.isIncluded(user.next.hash)) this.settle(user)
    if (user.next && now - user.next.askedAtMs < patienceMs) return
    if (!user.next) {
      const to = random.pick(this.users).address
      const raw = this.sign(user, { to, value: BigInt(1 + random.below(1_000_000)), chainId: this.ports.chainId })
      user.next = { raw, hash: keccak256Hex(raw), askedAtMs: now }
    }
    const { next } = user
    next.askedAtMs = now
    this.submit(node, next.raw, result => {
      if (!result.ok) return
      promises.accepted(node, next.hash)
      if (user.next === next) this.settle(user)
    })
  }

  private settle(user: User): void {
    user.next = null
    user.nonce++
  }

  private sendNonsense(node: SimulatedNode): void {
    const { random, chainId, promises } = this.ports
    const user = random.pick(this.users)
    const to = random.pick(this.users).address
    const [what, content] = random.pick<[string, { to: Address; value: bigint; chainId: number }]>([
      ['more than the account holds', { to, value: 10n ** 30n, chainId }],
      ['a transaction of another chain', { to, value: 1n, chainId: chainId + 1 }],
    ])
    this.submit(node, this.sign(user, content), result => {
      if (result.ok) promises.wronglyAccepted(node, what)
    })
  }

  private submit(node: SimulatedNode, raw: Uint8Array, heard: (result: SubmissionResult) => void): void {
    const { services } = node
    void services?.mempool.addRaw(raw).then(result => {
      if (node.services === services) heard(result)
    })
  }

  private sign(user: User, content: { to: Address; value: bigint; chainId: number }): Uint8Array {
    const fees = { maxFeePerGas: 100n * weiPerGwei, maxPriorityFeePerGas: weiPerGwei }
    return signTransaction({ type: 2, nonce: user.nonce, gasLimit: 21_000, ...fees, ...content }, user.key)
  }

  private depositSoon(): void {
    const { random, time, l1 } = this.ports
    if (this.isOver) return
    time.schedule(1 + random.below(2 * depositIntervalMs), () => {
      const sender = bytesToHex(uintToBytes(1 + random.below(1_000), 20))
      l1.deposit({
        sender,
        to: random.pick(this.users).address,
        amount: BigInt(1 + random.below(1_000_000)) * weiPerGwei,
      })
      this.depositSoon()
    })
  }
}
