import type { AggregateClaim } from '../../base/crypto/bls.js'
import { DecodeError } from '../../base/encoding/decode-error.js'
import { encodeRlp } from '../../base/encoding/rlp.js'
import { RlpFields, rlpUint } from '../../base/encoding/rlp-fields.js'
import { asciiToBytes, concatBytes, uintToBytes } from '../../base/primitives/bytes.js'
import type { Address, BlockHash, L1BlockHash } from '../../base/primitives/hashes.js'
import { InvariantError, invariant } from '../../base/primitives/invariant.js'
import { type Height, type L1BlockNumber, weiPerGwei } from '../../base/primitives/quantities.js'
import { ok, type Result, refuse } from '../../base/primitives/result.js'
import {
  type Block,
  type BodyLimits,
  type CertifiedBlock,
  type EncodedBlock,
  type EncodedCertifiedBlock,
  openBlock,
} from '../../base/protocol/block.js'
import type { L1Message } from '../../base/protocol/l1-message.js'
import {
  certificateClaim,
  decodeCertificate,
  encodeCertificate,
  type QuorumCertificate,
} from '../../base/protocol/quorum-certificate.js'
import type { SequencerSet } from '../../base/protocol/sequencer-set.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import type { ExecutionClient, HeadChange } from '../../io/execution/execution-client.js'
import type { SignatureVerifier } from '../../io/keys/signature-verifier.js'
import type { KeyValueStore } from '../../io/storage/key-value-store.js'
import type { ParentBlock } from '../../rules/blocks/block-attributes.js'
import { bodyLimits } from '../../rules/blocks/block-room.js'
import { feesToRecycle } from '../../rules/blocks/block-withdrawals.js'
import { checkContext, checkFixedAttributes, checkProposal } from '../../rules/blocks/proposal-rules.js'
import type { ProtocolSchedule } from '../../rules/upgrades/protocol-schedule.js'
import { type VersionedBlock, type VersionHalt, versionHalt } from '../../rules/upgrades/version-halt.js'

/**
 * Why a certified block from elsewhere is not imported. `l1-behind` and `l1-disagrees` rest on this node's own view of L1 (which may be wrong),
 * `other-version` on its software or network file (see `versionHalt`); all else is the sender's fault.
 */
export type ImportRefusal =
  | 'not-next'
  | 'certificate-mismatch'
  | 'forged-certificate'
  | 'wrong-set'
  | 'false-body'
  | 'header-mismatch'
  | 'invalid-execution'
  | 'l1-behind'
  | 'l1-disagrees'
  | 'other-version'

export interface RefusedImport {
  readonly reason: ImportRefusal
  readonly detail: string
}

/** A block that became the head, with everything that listeners need. */
export interface CommittedBlock {
  readonly block: Block
  readonly certificate: QuorumCertificate
  readonly change: HeadChange
  /** Whether this node's own consensus decided it (else it was imported). */
  readonly decidedHere: boolean
}

export interface ChainPorts {
  readonly execution: Pick<ExecutionClient, 'newPayload' | 'forkchoiceUpdated' | 'head' | 'labels' | 'blockAt'>
  readonly store: KeyValueStore
  readonly verifier: Pick<SignatureVerifier, 'verifyAggregates'>
  readonly sets: { setAt(height: Height): SequencerSet }
  /**
   * L1 messages [from, to) in L1 blocks up to the origin, fewer when the origin does not hold so many; null while this
   * node's own view of L1 does not have that origin.
   */
  readonly messages: (range: {
    from: number
    to: number
    origin: { readonly number: L1BlockNumber; readonly hash: L1BlockHash }
  }) => Promise<readonly L1Message[] | null>
  /** Senders that this node recovered before, for the block's transactions. */
  readonly sendersOf: (transactions: readonly Uint8Array[]) => readonly (Address | null)[]
}

const prefix = asciiToBytes('certificate/')
const recordKey = (height: Height) => concatBytes(prefix, uintToBytes(height, 8))

/** A block of the chain that is safe or finalized. */
interface Label {
  readonly height: Height
  readonly hash: BlockHash
}

/** What is kept of each height besides the block: its certificate, and the burned fees below one gwei carried on. */
interface ChainRecord {
  readonly certificate: QuorumCertificate
  readonly feeCarryWei: bigint
}

const encodeRecord = ({ certificate, feeCarryWei }: ChainRecord) =>
  encodeRlp([encodeCertificate(certificate), rlpUint(feeCarryWei)])

function decodeRecord(bytes: Uint8Array): ChainRecord {
  const fields = RlpFields.decode(bytes, 'chain record')
  const certificate = decodeCertificate(fields.bytes())
  const feeCarryWei = fields.uint(64)
  fields.end()
  return { certificate, feeCarryWei }
}

/**
 * The chain of certified blocks of this node: the one place where a block becomes the head, whether decided here or
 * imported from a peer. Writes are serialized; the record of a height is durable before execution makes it the head.
 */
export class Chain {
  private readonly listeners: ((committed: CommittedBlock) => void)[] = []
  private queue: Promise<unknown> = Promise.resolve()
  /** Certificates whose signatures were found good before their blocks came to be imported. */
  private readonly proved = new WeakSet<QuorumCertificate>()
  /** The last block that a quorum decided and that was refused for its protocol version. */
  private refusedVersion: VersionedBlock | null = null
  private current: ParentBlock
  private safe: Label
  private finalized: Label

  private constructor(
    private readonly ports: ChainPorts,
    private readonly config: { readonly protocol: ProtocolSchedule; readonly domain: SigningDomain },
    start: { readonly head: ParentBlock; readonly safe: Label; readonly finalized: Label },
  ) {
    this.current = start.head
    this.safe = start.safe
    this.finalized = start.finalized
  }

  /** Opens at the head and the labels that the execution client kept. */
  static async open(args: {
    config: { protocol: ProtocolSchedule; domain: SigningDomain }
    ports: ChainPorts
  }): Promise<Chain> {
    const { execution } = args.ports
    const { hash, header } = await execution.head()
    const block = await execution.blockAt(header.number)
    invariant(block, 'the execution client does not hold its own head', { height: header.number, hash })
    const { safe, finalized } = await execution.labels()
    let feeCarryWei = 0n
    if (header.number > 0) {
      const bytes = args.ports.store.get(recordKey(header.number))
      invariant(bytes, 'the certificate of the head is missing from the store', { height: header.number })
      feeCarryWei = decodeRecord(bytes).feeCarryWei
    }
    const head = { hash, header, context: block.context, feeCarryWei }
    return new Chain(args.ports, args.config, {
      head,
      safe: await labelAt(args.ports, safe),
      finalized: await labelAt(args.ports, finalized),
    })
  }

  head(): ParentBlock {
    return this.current
  }

  height(): Height {
    return this.current.header.number
  }

  /** Heights whose batches L1 accepted and finalized. */
  labels(): { readonly safe: Height; readonly finalized: Height } {
    return { safe: this.safe.height, finalized: this.finalized.height }
  }

  /** Why this node makes, signs and imports no further block; null while the protocol version of the next height is its own. */
  versionHalt(): VersionHalt | null {
    const head = { height: this.height(), version: this.current.context.version }
    return versionHalt({ protocol: this.config.protocol, head, decided: this.refusedVersion })
  }

  /** Called for each new head, in order; the returned function ends it. */
  onCommitted(listener: (committed: CommittedBlock) => void): () => void {
    this.listeners.push(listener)
    return () => {
      this.listeners.splice(this.listeners.indexOf(listener), 1)
    }
  }

  certificateAt(height: Height): QuorumCertificate | null {
    const bytes = this.ports.store.get(recordKey(height))
    return bytes && height <= this.height() ? decodeRecord(bytes).certificate : null
  }

  async certifiedBlockAt(height: Height): Promise<CertifiedBlock | null> {
    const certificate = this.certificateAt(height)
    if (!certificate) return null
    const block = await this.ports.execution.blockAt(height)
    return block && block.hash === certificate.blockHash ? { block, certificate } : null
  }

  /** Makes a block that this node's consensus decided the head; a no-op when an import was faster. */
  commit(certified: CertifiedBlock): Promise<void> {
    return this.serialized(async () => {
      const { number } = certified.block.header
      if (number <= this.height()) {
        const own = this.certificateAt(number)?.blockHash
        if (own !== certified.block.hash) throw agreementBroke({ height: number, own, other: certified.block.hash })
        return
      }
      const status = await this.ports.execution.newPayload(certified.block)
      if (status.status !== 'VALID') {
        throw new InvariantError('a decided block does not execute', {
          height: number,
          hash: certified.block.hash,
          ...status,
        })
      }
      await this.advance(certified, true)
    })
  }

  /**
   * Checks the signatures of blocks that are about to be imported together, at less than half of what each costs alone.
   * Where one of them is bad nothing is gained, and its import says which.
   */
  async prove(blocks: readonly Pick<CertifiedBlock, 'certificate'>[]): Promise<void> {
    const { domain } = this.config
    const claims: AggregateClaim[] = []
    for (const { certificate } of blocks) {
      const claim = certificateClaim({ certificate, set: this.ports.sets.setAt(certificate.height), domain })
      if (!claim.ok) return
      claims.push(claim.value)
    }
    if (!(await this.ports.verifier.verifyAggregates(claims))) return
    for (const { certificate } of blocks) this.proved.add(certificate)
  }

  /**
   * Whether a certificate of a decided height is forged: one that holds is of the block that was decided here.
   * @throws InvariantError when it holds for another block
   */
  async isForged(certificate: QuorumCertificate): Promise<boolean> {
    const { height, blockHash: other } = certificate
    const own = this.certificateAt(height)?.blockHash
    if (own === undefined || own === other) return false
    const claim = certificateClaim({ certificate, set: this.ports.sets.setAt(height), domain: this.config.domain })
    // By the word of another set nothing is known here.
    if (!claim.ok) return claim.error !== 'wrong-set'
    if (!(await this.ports.verifier.verifyAggregates([claim.value]))) return true
    throw agreementBroke({ height, own, other })
  }

  /** Verifies a certified block from elsewhere, re-executes it and makes it the head. Its body is looked at once a quorum is known to have signed its hash. */
  import(certified: EncodedCertifiedBlock): Promise<Result<void, RefusedImport>> {
    return this.serialized(async () => {
      const checked = await this.check(certified)
      if (!checked.ok) return checked
      const block = checked.value
      const status = await this.ports.execution.newPayload(block, this.ports.sendersOf(block.transactions))
      if (status.status !== 'VALID') {
        return refuse<RefusedImport>({
          reason: 'invalid-execution',
          detail: status.status === 'INVALID' ? status.reason : 'parent unknown',
        })
      }
      await this.advance({ block, certificate: certified.certificate }, false)
      return ok(undefined)
    })
  }

  /** Moves the safe and finalized labels; they never go back and never pass the head. */
  setLabels({ safe, finalized }: { safe: Height; finalized: Height }): Promise<void> {
    return this.serialized(async () => {
      const nextSafe = Math.min(Math.max(this.safe.height, safe), this.height())
      const nextFinalized = Math.min(Math.max(this.finalized.height, finalized), nextSafe)
      if (nextSafe === this.safe.height && nextFinalized === this.finalized.height) return
      this.safe = await labelAt(this.ports, nextSafe)
      this.finalized = await labelAt(this.ports, nextFinalized)
      await this.ports.execution.forkchoiceUpdated(this.forkchoice(this.current.hash))
    })
  }

  private async check({ block: encoded, certificate }: EncodedCertifiedBlock): Promise<Result<Block, RefusedImport>> {
    const no = (reason: ImportRefusal, detail: string) => refuse<RefusedImport>({ reason, detail })
    const { header, context } = encoded
    if (header.number !== this.height() + 1) return no('not-next', `block ${header.number}, head ${this.height()}`)
    if (certificate.height !== header.number || certificate.blockHash !== encoded.hash)
      return no('certificate-mismatch', `certificate for ${certificate.blockHash} at ${certificate.height}`)
    const set = this.ports.sets.setAt(header.number)
    const claim = certificateClaim({ certificate, set, domain: this.config.domain })
    if (!claim.ok) return no(claim.error === 'wrong-set' ? 'wrong-set' : 'forged-certificate', claim.error)
    if (!this.proved.has(certificate) && !(await this.ports.verifier.verifyAggregates([claim.value])))
      return no('forged-certificate', 'bad-signature')
    // Whoever honest precommitted it had decided its parent.
    if (header.parentHash !== this.current.hash)
      throw agreementBroke({ height: this.height(), own: this.current.hash, other: header.parentHash })
    if (context.setId !== set.setId) return no('wrong-set', `context names set ${context.setId}, active ${set.setId}`)
    const protocol = this.config.protocol.at(header.number)
    if (context.version !== protocol.version || !protocol.isKnown) {
      this.refusedVersion = { height: header.number, version: context.version }
      return no('other-version', `protocol version ${context.version} at height ${header.number}`)
    }
    const { parameters } = protocol
    const opened = bodyOf(encoded, bodyLimits(protocol))
    if (!opened.ok) return no('false-body', opened.error)
    const block = opened.value
    const rules = checkContext({ block, parent: this.current, set, protocol })
    if (!rules.ok) return no('header-mismatch', `${rules.error.reason}: ${rules.error.detail}`)
    const proposed = checkProposal({ proposal: proposedAfter(certificate), block, set, parameters })
    if (!proposed.ok) return no('header-mismatch', `${proposed.error.reason}: ${proposed.error.detail}`)
    const messages = await this.checkMessages(block, set)
    return messages.ok ? ok(block) : messages
  }

  private async checkMessages(block: Block, set: SequencerSet): Promise<Result<void, RefusedImport>> {
    const { context: before } = this.current
    const { l1OriginNumber: number, l1OriginHash: hash } = block.context
    if (number < before.l1OriginNumber || (number === before.l1OriginNumber && hash !== before.l1OriginHash))
      return refuse({ reason: 'header-mismatch', detail: `L1 origin ${number} after ${before.l1OriginNumber}` })
    const { parameters } = this.config.protocol.at(block.header.number)
    const range = { from: before.messagesConsumed, to: block.context.messagesConsumed }
    if (range.to < range.from || range.to - range.from > parameters.maxMessagesPerBlock)
      return refuse({ reason: 'header-mismatch', detail: `messagesConsumed ${range.to} after ${range.from}` })
    const messages = range.to === range.from ? [] : await this.ports.messages({ ...range, origin: { number, hash } })
    if (!messages) return refuse({ reason: 'l1-behind', detail: `L1 block ${number} is not known here yet` })
    if (messages.length !== range.to - range.from)
      return refuse({ reason: 'l1-disagrees', detail: `L1 block ${number} does not hold ${range.to} messages` })
    const fixed = checkFixedAttributes({
      block,
      parent: this.current,
      set,
      messages,
      parameters,
    })
    if (fixed.ok) return ok(undefined)
    const { reason, detail } = fixed.error
    const isOfL1 = reason === 'withdrawals-mismatch' && messages.length > 0
    return refuse({ reason: isOfL1 ? 'l1-disagrees' : 'header-mismatch', detail: `${reason}: ${detail}` })
  }

  private async advance({ block, certificate }: CertifiedBlock, decidedHere: boolean): Promise<void> {
    const feeCarryWei = feesToRecycle(this.current.header, this.current.feeCarryWei) % weiPerGwei
    await this.ports.store.write(
      [{ key: recordKey(block.header.number), value: encodeRecord({ certificate, feeCarryWei }) }],
      { sync: true },
    )
    const change = await this.ports.execution.forkchoiceUpdated(this.forkchoice(block.hash))
    invariant(change, 'the execution client did not take the new head', { hash: block.hash })
    this.current = { hash: block.hash, header: block.header, context: block.context, feeCarryWei }
    for (const listener of this.listeners) listener({ block, certificate, change, decidedHere })
  }

  private forkchoice(head: BlockHash): { head: BlockHash; safe: BlockHash; finalized: BlockHash } {
    return { head, safe: this.safe.hash, finalized: this.finalized.hash }
  }

  private serialized<Value>(task: () => Promise<Value>): Promise<Value> {
    const run = this.queue.then(task)
    this.queue = run.catch(() => undefined)
    return run
  }
}

/** Two quorums signed two blocks of a height: more than a third of the power broke the protocol, and only logs tell who. */
function agreementBroke(at: { height: Height; own: BlockHash | undefined; other: BlockHash }): InvariantError {
  return new InvariantError(
    'agreement broke: a quorum decided another block than this node. Keep the data directories of all sequencers as they are, and run `morphism forensics` on their logs (README, Evidence)',
    at,
  )
}

async function labelAt({ store, execution }: ChainPorts, height: Height): Promise<Label> {
  const record = store.get(recordKey(height))
  if (record) return { height, hash: decodeRecord(record).certificate.blockHash }
  const block = await execution.blockAt(height)
  invariant(block, 'a block below the head is missing', { height })
  return { height, hash: block.hash }
}

/** The block when its body is the header's, else what is wrong with it: that is the fault of who sent it, whatever a quorum signed. */
function bodyOf(block: EncodedBlock, limits: BodyLimits): Result<Block, string> {
  try {
    return ok(openBlock(block, limits))
  } catch (error) {
    if (error instanceof DecodeError) return refuse(error.message)
    throw error
  }
}

/** A proposal that the polka of a decided block allows: the block was first proposed in its round or before. */
function proposedAfter({ height, round }: Pick<QuorumCertificate, 'height' | 'round'>) {
  return { height, round: round + 1, validRound: round }
}
