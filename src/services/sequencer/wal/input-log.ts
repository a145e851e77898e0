import type { BlockHash } from '../../../base/primitives/hashes.js'
import type { Height, Round } from '../../../base/primitives/quantities.js'
import type { Block } from '../../../base/protocol/block.js'
import type { Proposal } from '../../../base/protocol/proposal.js'
import type { AppendLog } from '../../../io/storage/append-log.js'
import { encodeWalRecord, type LoggedInput, type WalMark, type WalRecord } from './wal-record.js'

/** Bytes after which another log is begun at the next height that has nothing in it; the one before stays for `morphism forensics`. */
const maxBytes = 32 * 1024 * 1024

/** The write-ahead log of consensus: the inputs of a height, each block once, and what the inputs of the height in progress name. */
export class InputLog {
  private height: Height = 0
  private readonly blocks = new Map<BlockHash, Block>()
  private readonly logged = new Set<BlockHash>()
  private readonly proposals = new Map<string, Proposal>()
  private hasSigned = false

  constructor(private readonly wal: Pick<AppendLog, 'append' | 'size' | 'turn'>) {}

  /**
   * Begins a height with what the log holds of it from before a restart: that must stay, since a lock rests on it. Rejects when
   * another log could not be begun in the place of one that has grown too large.
   */
  async startHeight(height: Height, held: readonly Pick<WalRecord, 'input' | 'block'>[] = []): Promise<void> {
    this.height = height
    this.blocks.clear()
    this.logged.clear()
    this.proposals.clear()
    for (const { input, block } of held) {
      this.keep(input, block)
      if (block) this.logged.add(block.hash)
    }
    if (held.length > 0 || this.wal.size() <= maxBytes) return
    const emptied = this.wal.turn()
    if (this.hasSigned) this.mark('signs')
    await emptied
  }

  /** Says that a run of the node begins at this height, before anything else of it. */
  open(height: Height): void {
    this.height = height
    this.mark('opened')
  }

  /** Says that what comes now is signed by this node itself, once for all. */
  signs(): void {
    if (this.hasSigned) return
    this.hasSigned = true
    this.mark('signs')
  }

  private mark(mark: WalMark['mark']): void {
    this.wal.append(encodeWalRecord({ height: this.height, mark }))
  }

  /** Appends an input, with the block that came with it or that it names first. */
  append(input: LoggedInput, brought?: Block): void {
    this.keep(input, brought)
    const named = nameOf(input)
    const block = named !== null && !this.logged.has(named) ? this.blocks.get(named) : undefined
    if (block) this.logged.add(block.hash)
    const { height } = this
    this.wal.append(encodeWalRecord(block ? { height, input, block } : { height, input }))
  }

  block(hash: BlockHash): Block | undefined {
    return this.blocks.get(hash)
  }

  proposal(round: Round, blockHash: BlockHash): Proposal | undefined {
    return this.proposals.get(`${round}/${blockHash}`)
  }

  private keep(input: LoggedInput, block: Block | undefined): void {
    if (block) this.blocks.set(block.hash, block)
    if (input.type !== 'proposal') return
    const { round, blockHash } = input.proposal
    this.proposals.set(`${round}/${blockHash}`, input.proposal)
  }
}

/** The block that an input brings or speaks of, if any. */
function nameOf(input: LoggedInput): BlockHash | null {
  if (input.type === 'proposal') return input.proposal.blockHash
  return input.type === 'prepared' ? input.blockHash : null
}
