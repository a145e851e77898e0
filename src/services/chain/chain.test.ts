import { beforeEach, describe, expect, it } from 'vitest'
import { BlsSecretKey } from '../../base/crypto/bls.js'
import { zeroHash } from '../../base/primitives/hashes.js'
import { InvariantError } from '../../base/primitives/invariant.js'
import type { Block, CertifiedBlock } from '../../base/protocol/block.js'
import type { L1Message } from '../../base/protocol/l1-message.js'
import { devnetParameters as parameters } from '../../base/protocol/protocol-parameters.js'
import type { ForkchoiceState, PayloadStatus } from '../../io/execution/execution-client.js'
import { inlineSignatureVerifier } from '../../io/keys/signature-verifier.js'
import { MemoryStore } from '../../io/storage/memory-store.js'
import { StorageError } from '../../io/storage/storage-error.js'
import type { ParentBlock } from '../../rules/blocks/block-attributes.js'
import {
  account,
  asParent,
  asSent,
  certified,
  childOf,
  deposit,
  domain,
  genesis,
  genesisBlock,
  keys,
  l1Hash,
  set,
} from '../../rules/blocks/blocks.fixture.js'
import { createProtocolSchedule, type ProtocolSchedule } from '../../rules/upgrades/protocol-schedule.js'
import { Chain, type ChainPorts, type CommittedBlock } from './chain.js'

const badRoot = `0x${'bd'.repeat(32)}` as const

/** Stands for the execution client: keeps blocks, calls one state root wrong, and can fail like a process that dies. */
class FakeExecution {
  readonly canonical: Block[] = [genesisBlock]
  readonly calls: string[] = []
  readonly choices: ForkchoiceState[] = []
  failNextChoice = false
  private readonly known = new Map<string, Block>()

  async newPayload(block: Block): Promise<PayloadStatus> {
    this.calls.push(`newPayload ${block.header.number}`)
    if (block.header.stateRoot === badRoot) return { status: 'INVALID', reason: 'state root mismatch' }
    this.known.set(block.hash, block)
    return { status: 'VALID' }
  }

  async forkchoiceUpdated(state: ForkchoiceState) {
    if (this.failNextChoice) {
      this.failNextChoice = false
      throw new StorageError('STORE_FAILED', 'the disk is gone')
    }
    this.choices.push(state)
    const block = this.known.get(state.head)
    if (!block || this.canonical.at(-1)!.hash === block.hash) return null
    this.canonical.push(block)
    this.calls.push(`head ${block.header.number}`)
    return { block, touched: [], logs: [] }
  }

  async head() {
    return this.canonical.at(-1)!
  }

  async labels() {
    const { safe, finalized } = this.choices.at(-1) ?? { safe: genesisBlock.hash, finalized: genesisBlock.hash }
    const heightOf = (hash: string) => this.canonical.findIndex(block => block.hash === hash)
    return { safe: heightOf(safe), finalized: heightOf(finalized) }
  }

  async blockAt(height: number) {
    return this.canonical[height] ?? null
  }
}

let execution: FakeExecution
let store: MemoryStore
let l1Messages: readonly L1Message[] | null
let chain: Chain

let protocol: ProtocolSchedule

const open = () => {
  const ports: ChainPorts = {
    execution,
    store,
    verifier: inlineSignatureVerifier,
    sets: { setAt: () => set },
    messages: async ({ from, to, origin }) =>
      l1Messages?.slice(from, to).filter(({ l1BlockNumber }) => l1BlockNumber <= origin.number) ?? null,
    sendersOf: transactions => transactions.map(() => null),
  }
  return Chain.open({ config: { protocol, domain }, ports })
}

beforeEach(async () => {
  execution = new FakeExecution()
  store = new MemoryStore()
  l1Messages = []
  protocol = createProtocolSchedule({ parameters })
  chain = await open()
})

/** Blocks on genesis, each on the one before. */
function run(count: number, from: ParentBlock = genesis): CertifiedBlock[] {
  const blocks: CertifiedBlock[] = []
  for (let parent = from; blocks.length < count; parent = asParent(blocks.at(-1)!.block))
    blocks.push(certified(childOf(parent)))
  return blocks
}

async function refusalOf(block: CertifiedBlock): Promise<string> {
  const verdict = await chain.import(asSent(block))
  return verdict.ok ? 'ok' : `${verdict.error.reason}: ${verdict.error.detail}`
}

describe('importing', () => {
  it('makes each block the head, in order, and tells with its certificate', async () => {
    const blocks = run(3)
    const heard: CommittedBlock[] = []
    const end = chain.onCommitted(committed => heard.push(committed))
    for (const block of blocks) expect(await refusalOf(block)).toBe('ok')
    expect(heard.map(({ block, certificate }) => ({ block, certificate }))).toEqual(blocks)
    expect(heard.every(({ decidedHere }) => !decidedHere)).toBe(true)
    expect(chain.head().hash).toBe(blocks[2]!.block.hash)
    expect(chain.certificateAt(2)).toEqual(blocks[1]!.certificate)
    expect(await chain.certifiedBlockAt(3)).toEqual(blocks[2])
    expect(chain.certificateAt(4)).toBeNull()
    end()
    await chain.import(asSent(run(1, chain.head())[0]!))
    expect(heard).toHaveLength(3)
  })

  it('takes blocks whose certificates were checked together, and names the bad one among them', async () => {
    const blocks = run(4)
    await chain.prove(blocks.slice(0, 2))
    for (const block of blocks.slice(0, 2)) expect(await refusalOf(block)).toBe('ok')
    const forged = certified(blocks[3]!.block, { signers: keys.slice(1) })
    await chain.prove([blocks[2]!, forged])
    expect(await refusalOf(blocks[2]!)).toBe('ok')
    expect(await refusalOf(forged)).toContain('forged-certificate: bad-signature')
  })

  it('takes blocks that are offered together one after the other, each once', async () => {
    const [one, two] = run(2)
    expect(await Promise.all([one!, one!, two!].map(refusalOf))).toEqual(['ok', 'not-next: block 1, head 1', 'ok'])
  })

  it('carries burned fees below one gwei to the next block, also over a restart', async () => {
    const burning = childOf(genesis, { header: { gasUsed: 3, baseFeePerGas: 400_000_001n } })
    await chain.import(asSent(certified(burning)))
    const next = childOf(asParent(burning))
    expect(next.withdrawals[0]?.amount).toBe(1n)
    await chain.import(asSent(certified(next)))
    expect(chain.head().feeCarryWei).toBe(200_000_003n)
    chain = await open()
    expect(chain.head()).toMatchObject({ hash: next.hash, feeCarryWei: 200_000_003n })
    expect(await refusalOf(certified(childOf(asParent(next, 200_000_003n))))).toBe('ok')
  })

  it('consumes the messages of the block’s L1 origin', async () => {
    l1Messages = [deposit(0, 12), deposit(1, 13)]
    const context = { l1OriginNumber: 12, l1OriginHash: l1Hash(12) }
    const both = certified(childOf(genesis, { messages: l1Messages, context }))
    expect(await refusalOf(both)).toBe('l1-disagrees: L1 block 12 does not hold 2 messages')
    expect(await refusalOf(certified(childOf(genesis, { messages: [l1Messages[0]!], context })))).toBe('ok')
  })

  it('does not take deposits that its own view of L1 tells otherwise, and takes them when that is mended', async () => {
    const context = { l1OriginNumber: 12, l1OriginHash: l1Hash(12) }
    const honest = [deposit(0, 12)]
    const block = certified(childOf(genesis, { messages: honest, context }))
    l1Messages = [{ ...honest[0]!, amount: 10n ** 24n }]
    expect(await refusalOf(block)).toBe('l1-disagrees: withdrawals-mismatch: 1, expected 1')
    expect(execution.calls).toEqual([])
    l1Messages = honest
    expect(await refusalOf(block)).toBe('ok')
  })

  it('says that it is behind when it does not know the L1 origin, and takes the block later', async () => {
    const messages = [deposit(0, 12)]
    const block = certified(childOf(genesis, { messages, context: { l1OriginNumber: 12, l1OriginHash: l1Hash(12) } }))
    l1Messages = null
    expect(await refusalOf(block)).toBe('l1-behind: L1 block 12 is not known here yet')
    l1Messages = messages
    expect(await refusalOf(block)).toBe('ok')
  })
})

describe('refusals', () => {
  const stranger = BlsSecretKey.fromSeed(new Uint8Array(32).fill(77))
  const block = childOf(genesis)
  const credit = { index: 65_536, validatorIndex: 0, address: account(9), amount: 1n }
  it.each<[string, CertifiedBlock]>([
    ['not-next', certified(childOf(asParent(block)))],
    ['forged-certificate', certified(childOf(genesis, { header: { parentHash: zeroHash } }), { signers: [stranger] })],
    ['certificate-mismatch', { ...certified(childOf(genesis, { header: { gasUsed: 1 } })), block }],
    ['certificate-mismatch', certified(block, { height: 2 })],
    ['forged-certificate: bad-signature', certified(block, { signers: [stranger] })],
    ['forged-certificate: bad-signature', certified(block, { signers: keys.slice(1) })],
    ['forged-certificate: not-enough-power', certified(block, { signers: keys.slice(2), absent: 3n })],
    ['forged-certificate: unknown-member', certified(block, { absent: 1n << 4n })],
    ['wrong-set: wrong-set', certified(block, { setId: 2 })],
    ['wrong-set: context names set 2', certified(childOf(genesis, { context: { setId: 2 } }))],
    ['false-body: block: the transactions', certified({ ...block, transactions: [Uint8Array.of(1)] })],
    ['false-body: block: the transactions', certified(childOf(genesis, { header: { transactionsRoot: zeroHash } }))],
    ['false-body: block: the withdrawals', certified({ ...block, withdrawals: [credit] })],
    [
      'header-mismatch: wrong-proposer',
      certified(childOf(genesis, { context: { proposerIndex: (block.context.proposerIndex + 1) % 4 } })),
    ],
    ['other-version: protocol version 2', certified(childOf(genesis, { context: { version: 2 } }))],
    [
      'header-mismatch: timestamp-too-early',
      certified(childOf(genesis, { context: { timestampMs: genesis.context.timestampMs } })),
    ],
    ['header-mismatch: L1 origin 9', certified(childOf(genesis, { context: { l1OriginNumber: 9 } }))],
    ['header-mismatch: L1 origin 10', certified(childOf(genesis, { context: { l1OriginHash: zeroHash } }))],
    [
      'header-mismatch: header-field-mismatch: feeRecipient',
      certified(childOf(genesis, { header: { feeRecipient: account(9) } })),
    ],
    ['header-mismatch: withdrawals-mismatch', certified(childOf(genesis, { withdrawals: [credit] }))],
    [
      'header-mismatch: messagesConsumed',
      certified(childOf(genesis, { messages: Array.from({ length: 65 }, (_, i) => deposit(i, 10)) })),
    ],
    ['invalid-execution: state root mismatch', certified(childOf(genesis, { header: { stateRoot: badRoot } }))],
  ])('%s', async (reason, forged) => {
    expect(await refusalOf(forged)).toContain(reason)
    await chain.prove([forged])
    expect(await refusalOf(forged)).toContain(reason)
    expect(chain.height()).toBe(0)
    expect(execution.calls.filter(call => call.startsWith('head'))).toEqual([])
    expect(chain.certificateAt(1)).toBeNull()
    expect(await refusalOf(certified(block))).toBe('ok')
  })

  it('takes a block decided in a later round than it was proposed in, but not one of a round to come', async () => {
    const ofLater = [0, 1, 2, 3].find(index => index !== block.context.proposerIndex)!
    const later = childOf(genesis, { context: { proposerIndex: ofLater } })
    expect(await refusalOf(certified(later))).toContain('wrong-proposer')
    expect(await refusalOf(certified(later, { round: 5 }))).toBe('ok')
  })
})

describe('committing', () => {
  it('makes a decided block the head', async () => {
    const heard: CommittedBlock[] = []
    chain.onCommitted(committed => heard.push(committed))
    const [one] = run(1)
    await chain.commit(one!)
    expect(chain.head().hash).toBe(one!.block.hash)
    expect(heard.map(({ decidedHere }) => decidedHere)).toEqual([true])
  })

  it('does nothing when the same block was imported meanwhile', async () => {
    const [one] = run(1)
    await Promise.all([chain.import(asSent(one!)), chain.commit(one!)])
    expect(execution.calls).toEqual(['newPayload 1', 'head 1'])
  })

  it('stops the node when another block was decided at that height, or the block does not execute', async () => {
    const [one] = run(1)
    await chain.commit(one!)
    const other = certified(childOf(genesis, { context: { timestampMs: genesis.context.timestampMs + 7_000 } }))
    await expect(chain.commit(other)).rejects.toThrow(InvariantError)
    const bad = certified(childOf(asParent(one!.block), { header: { stateRoot: badRoot } }))
    await expect(chain.commit(bad)).rejects.toThrow(InvariantError)
    expect(chain.height()).toBe(1)
  })
})

describe('agreement that broke', () => {
  const later = { context: { timestampMs: genesis.context.timestampMs + 7_000 } }

  it('shows in a certified block of the next height on another parent', async () => {
    const [one] = run(1)
    await chain.commit(one!)
    const onOther = certified(childOf(asParent(childOf(genesis, later))))
    await expect(chain.import(asSent(onOther))).rejects.toThrow(InvariantError)
    await expect(chain.import(asSent(onOther))).rejects.toThrow('run `morphism forensics`')
    expect(chain.height()).toBe(1)
  })

  it('shows in a certificate of a decided height, and not in a forged one nor in the own of a later round', async () => {
    const [one] = run(1)
    await chain.commit(one!)
    const other = childOf(genesis, later)
    await expect(chain.isForged(certified(other).certificate)).rejects.toThrow('agreement broke')
    expect(await chain.isForged(certified(other, { signers: keys.slice(1) }).certificate)).toBe(true)
    expect(await chain.isForged(certified(one!.block, { round: 3 }).certificate)).toBe(false)
  })
})

describe('a crash', () => {
  it('between certificate and head leaves the old head, and the block can be taken again', async () => {
    const [one, two] = run(2)
    await chain.import(asSent(one!))
    execution.failNextChoice = true
    await expect(chain.import(asSent(two!))).rejects.toThrow('the disk is gone')
    chain = await open()
    expect(chain.height()).toBe(1)
    expect(chain.certificateAt(2)).toBeNull()
    expect(await refusalOf(two!)).toBe('ok')
    expect(chain.certificateAt(2)).toEqual(two!.certificate)
  })

  it('after the head never finds it without its certificate', async () => {
    for (const block of run(3)) await chain.import(asSent(block))
    const written = store.get.bind(store)
    expect((await open()).certificateAt(3)).not.toBeNull()
    store.get = () => undefined
    await expect(open()).rejects.toThrow('the certificate of the head is missing')
    store.get = written
  })

  it('while the certificate is written leaves the head where it was', async () => {
    store.write = async () => {
      throw new StorageError('STORE_FAILED', 'no space left')
    }
    const [one] = run(1)
    await expect(chain.import(asSent(one!))).rejects.toThrow('no space left')
    expect(execution.calls).toEqual(['newPayload 1'])
    expect(chain.height()).toBe(0)
  })
})

describe('labels', () => {
  beforeEach(async () => {
    for (const block of run(5)) await chain.import(asSent(block))
    execution.choices.length = 0
  })

  it('follow, never go back and never pass the head or one another', async () => {
    await chain.setLabels({ safe: 3, finalized: 1 })
    expect(chain.labels()).toEqual({ safe: 3, finalized: 1 })
    await chain.setLabels({ safe: 2, finalized: 0 })
    expect(chain.labels()).toEqual({ safe: 3, finalized: 1 })
    await chain.setLabels({ safe: 99, finalized: 99 })
    expect(chain.labels()).toEqual({ safe: 5, finalized: 5 })
  })

  it('keep finalized at or below safe', async () => {
    await chain.setLabels({ safe: 2, finalized: 4 })
    expect(chain.labels()).toEqual({ safe: 2, finalized: 2 })
  })

  it('stay where they are over a restart, also with the next head', async () => {
    const labels = { safe: 4, finalized: 3 }
    await chain.setLabels(labels)
    chain = await open()
    expect(chain.labels()).toEqual(labels)
    await chain.setLabels({ safe: 0, finalized: 0 })
    await chain.import(asSent(run(1, chain.head())[0]!))
    expect(await execution.labels()).toEqual(labels)
    expect(chain.labels()).toEqual(labels)
  })

  it('are told to the execution client by hash, only when they change', async () => {
    const hash = (height: number) => execution.canonical[height]!.hash
    await chain.setLabels({ safe: 3, finalized: 1 })
    await chain.setLabels({ safe: 3, finalized: 1 })
    expect(execution.choices).toEqual([{ head: hash(5), safe: hash(3), finalized: hash(1) }])
  })
})

describe('a height of another protocol version', () => {
  const upgrades = [{ version: 2, activationHeight: 2, parameters: { gasLimit: 60_000_000, maxMessagesPerBlock: 1 } }]
  const gasLimit = 60_000_000
  const first = certified(childOf(genesis))
  const second = certified(childOf(asParent(first.block), { context: { version: 2 }, gasLimit }))
  const openWith = async (terms: Partial<Parameters<typeof createProtocolSchedule>[0]>) => {
    protocol = createProtocolSchedule({ parameters, ...terms })
    chain = await open()
  }

  it('is imported by the rules of that version', async () => {
    await openWith({ upgrades })
    expect(await refusalOf(first)).toBe('ok')
    expect(chain.versionHalt()).toBeNull()
    l1Messages = [deposit(0, 10), deposit(1, 10)]
    const unchanged = childOf(chain.head(), { context: { version: 2 } })
    expect(await refusalOf(certified(unchanged))).toMatch(/^header-mismatch: header-field-mismatch: gasLimit 30000000/)
    const crowded = childOf(chain.head(), { context: { version: 2 }, gasLimit, messages: l1Messages })
    expect(await refusalOf(certified(crowded))).toBe('header-mismatch: messagesConsumed 2 after 0')
    expect(await refusalOf(second)).toBe('ok')
    expect(chain.head().header.gasLimit).toBe(30_029_295)
    expect(chain.versionHalt()).toBeNull()
  })

  it('is a halt from the height on where the software does not know the version, and none once it does', async () => {
    await openWith({ upgrades, latestKnown: 1 })
    expect(chain.versionHalt()).toBeNull()
    await chain.import(asSent(first))
    const halt = { reason: 'PROTOCOL_VERSION_UNKNOWN', height: 2, version: 2, own: 1, of: 'software' }
    expect(chain.versionHalt()).toEqual(halt)
    expect(await refusalOf(second)).toBe('other-version: protocol version 2 at height 2')
    expect(chain.versionHalt()).toEqual(halt)
    await openWith({ upgrades })
    expect(chain.versionHalt()).toBeNull()
    expect(await refusalOf(second)).toBe('ok')
  })

  it('is a halt once a quorum signed it, where the network file lacks the upgrade', async () => {
    await chain.import(asSent(first))
    expect(await refusalOf(certified(second.block, { signers: keys.slice(0, 2) }))).toMatch(/^forged-certificate/)
    expect(chain.versionHalt()).toBeNull()
    expect(await refusalOf(second)).toBe('other-version: protocol version 2 at height 2')
    const halt = { height: 2, version: 2, own: 1, of: 'network-file' }
    expect(chain.versionHalt()).toEqual({ reason: 'PROTOCOL_VERSION_UNKNOWN', ...halt })
  })

  it('is a halt where the network did not take the upgrade of the network file', async () => {
    await openWith({ upgrades })
    await chain.import(asSent(first))
    expect(await refusalOf(certified(childOf(chain.head())))).toBe('other-version: protocol version 1 at height 2')
    const halt = { height: 2, version: 1, own: 2, of: 'network-file' }
    expect(chain.versionHalt()).toEqual({ reason: 'PROTOCOL_VERSION_NOT_ADOPTED', ...halt })
  })

  it('is a halt where a chain was opened with a network file that contradicts its head', async () => {
    await openWith({ upgrades })
    for (const block of [first, second]) await chain.import(asSent(block))
    await openWith({})
    expect(chain.versionHalt()).toMatchObject({ reason: 'PROTOCOL_VERSION_UNKNOWN', height: 2, version: 2, own: 1 })
    const late = [{ version: 2, activationHeight: 2, parameters: {} }]
    execution.canonical.splice(2, 1, childOf(asParent(first.block)))
    await openWith({ upgrades: late })
    expect(chain.versionHalt()).toMatchObject({ reason: 'PROTOCOL_VERSION_NOT_ADOPTED', height: 2, version: 1, own: 2 })
  })
})
