import type { L1Reader, L1Submitter } from '../../src/io/l1/l1-client.js'
import { L1Error } from '../../src/io/l1/l1-error.js'
import type { MemoryL1 } from '../../src/io/l1/memory-l1.js'
import { type Clock, pause } from '../../src/io/time/clock.js'
import type { ProcessLife } from './process-life.js'

/** One machine's endpoint of the shared L1: it may lag, or not answer. */
export class L1Endpoint {
  lagBlocks = 0
  isDown = false

  constructor(
    private readonly l1: MemoryL1,
    private readonly time: Clock,
  ) {}

  reader(life: ProcessLife): L1Reader {
    const real = this.l1.reader()
    const ask = <Value>(question: () => Promise<Value>): Promise<Value> => life.sees(this.answer(question))
    const top = () => Math.max(0, this.l1.head.number - this.lagBlocks)
    const at = async (number: number) => (await real.block(number))!
    return {
      head: () => ask(() => at(top())),
      finalized: () => ask(async () => at(Math.min(top(), (await real.finalized()).number))),
      block: number => ask(async () => (number > top() ? null : real.block(number))),
      events: ({ from, to }) => ask(() => real.events({ from, to: Math.min(to, top()) })),
      committedBatch: hash => ask(() => real.committedBatch(hash)),
      blobs: args => ask(() => real.blobs(args)),
      sequencerSet: id => ask(() => real.sequencerSet(id)),
      lastCommittedBatch: () => ask(() => real.lastCommittedBatch()),
      lastFinalizedBatch: () => ask(() => real.lastFinalizedBatch()),
      committedAt: index => ask(() => real.committedAt(index)),
    }
  }

  submitter(address: `0x${string}`, life: ProcessLife): L1Submitter {
    const real = this.l1.submitter(address)
    const ask = <Value>(question: () => Promise<Value>): Promise<Value> => life.sees(this.answer(question))
    return {
      address,
      wouldCommit: args => ask(() => real.wouldCommit(args)),
      wouldFinalize: batches => ask(() => real.wouldFinalize(batches)),
      commitBatch: (args, signal) => ask(() => real.commitBatch(args, signal)),
      finalizeBatch: (batches, signal) => ask(() => real.finalizeBatch(batches, signal)),
    }
  }

  private async answer<Value>(question: () => Promise<Value>): Promise<Value> {
    await pause(this.time, answerMs)
    if (this.isDown) throw new L1Error('L1_UNREACHABLE', 'the simulated endpoint does not answer')
    return question()
  }
}

const answerMs = 5
