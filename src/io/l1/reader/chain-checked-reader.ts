import type { L1Reader } from '../l1-client.js'
import { L1Error } from '../l1-error.js'
import { createL1Rpc, type L1Endpoint } from '../rpc/l1-rpc.js'
import { toL1Error } from '../rpc/viem-error.js'

/** An endpoint answers for another chain than the network's: what it says is believed by nobody. */
export class WrongL1ChainError extends L1Error {
  constructor(
    readonly expected: number,
    readonly found: number,
  ) {
    const message = `the L1 endpoint is of chain ${found}, and the network's L1 is chain ${expected}`
    super('L1_BAD_ANSWER', message, { expected, found })
  }
}

/** An L1Reader that believes nothing of its endpoint before that one has named the chain. */
export interface ChainCheckedL1Reader extends L1Reader {
  /** Asks which chain it is, unless that is known to be the right one. @throws WrongL1ChainError, L1Error */
  checkChain(): Promise<void>
}

/** The reader of an endpoint that must be of this chain; one that could not be asked is asked again at the next read. */
export function createChainCheckedL1Reader({
  chainId,
  endpoint,
  reader,
}: {
  readonly chainId: number
  readonly endpoint: L1Endpoint
  readonly reader: L1Reader
}): ChainCheckedL1Reader {
  const rpc = createL1Rpc(endpoint)
  let checked: Promise<void> | null = null
  const ask = async (): Promise<void> => {
    try {
      const found = await rpc.getChainId()
      if (found !== chainId) throw new WrongL1ChainError(chainId, found)
    } catch (error) {
      checked = null
      throw toL1Error(error, 'chain id', endpoint.rpcUrl)
    }
  }
  const checkChain = (): Promise<void> => {
    checked ??= ask()
    return checked
  }
  const whenChecked =
    <Args extends readonly unknown[], Answer>(read: (...args: Args) => Promise<Answer>) =>
    async (...args: Args): Promise<Answer> => {
      await checkChain()
      return read(...args)
    }
  return {
    checkChain,
    head: whenChecked(() => reader.head()),
    finalized: whenChecked(() => reader.finalized()),
    block: whenChecked(number => reader.block(number)),
    events: whenChecked(range => reader.events(range)),
    committedBatch: whenChecked(transactionHash => reader.committedBatch(transactionHash)),
    blobs: whenChecked(args => reader.blobs(args)),
    sequencerSet: whenChecked(setId => reader.sequencerSet(setId)),
    lastCommittedBatch: whenChecked(() => reader.lastCommittedBatch()),
    lastFinalizedBatch: whenChecked(() => reader.lastFinalizedBatch()),
    committedAt: whenChecked(batchIndex => reader.committedAt(batchIndex)),
  }
}
