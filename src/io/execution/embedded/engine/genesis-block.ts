import { bytesToHex, hexToBytes } from '../../../../base/primitives/bytes.js'
import { type Address, zeroAddress, zeroHash } from '../../../../base/primitives/hashes.js'
import type { Block } from '../../../../base/protocol/block.js'
import { contextHash } from '../../../../base/protocol/block-context.js'
import {
  type BlockHeader,
  emptyRequestsHash,
  emptyTrieRoot,
  genesisParentHash,
  headerHash,
} from '../../../../base/protocol/block-header.js'
import { ExecutionError } from '../../execution-error.js'
import { defaultGenesisBaseFee, type Genesis, type GenesisAccount, genesisContext } from '../../genesis.js'
import { emptyAccount, isEmptyAccount } from '../state/account-record.js'
import { emptyState } from '../state/empty-state.js'
import { trimWord } from '../state/slot-value.js'
import { WorkingState } from '../state/working-state.js'
import type { ExecutedBlock } from '../store/chain-store.js'
import { emptyBloom } from './bloom.js'

/** The genesis block and its state; equal genesis, equal hash. @throws ExecutionError GENESIS_INVALID */
export function genesisBlock(genesis: Genesis): ExecutedBlock {
  const state = new WorkingState(emptyState)
  try {
    for (const [address, account] of Object.entries(genesis.alloc))
      putAccount(state, address.toLowerCase() as Address, account)
  } catch (error) {
    if (error instanceof ExecutionError) throw error
    throw new ExecutionError('GENESIS_INVALID', `genesis: ${(error as Error).message}`, {}, { cause: error })
  }
  const finished = state.finish()
  const context = genesisContext(genesis)
  const header: BlockHeader = {
    parentHash: genesisParentHash,
    feeRecipient: zeroAddress,
    stateRoot: bytesToHex(finished.root),
    transactionsRoot: emptyTrieRoot,
    receiptsRoot: emptyTrieRoot,
    logsBloom: bytesToHex(emptyBloom),
    number: 0,
    gasLimit: genesis.gasLimit,
    gasUsed: 0,
    timestamp: genesis.timestamp,
    prevRandao: zeroHash,
    baseFeePerGas: genesis.baseFeePerGas ?? defaultGenesisBaseFee,
    withdrawalsRoot: emptyTrieRoot,
    parentBeaconBlockRoot: contextHash(context),
    requestsHash: emptyRequestsHash,
  }
  const block: Block = { hash: headerHash(header), header, context, transactions: [], withdrawals: [] }
  return { block, receipts: [], transactionHashes: [], state: finished }
}

function putAccount(state: WorkingState, address: Address, account: GenesisAccount): void {
  if (!/^0x[0-9a-f]{40}$/.test(address))
    throw new ExecutionError('GENESIS_INVALID', `genesis: ${address} is no address`, { address })
  const record = { ...emptyAccount, nonce: BigInt(account.nonce ?? 0), balance: account.balance }
  state.setAccount(address, record)
  if (account.code !== undefined && account.code !== '0x') state.setCode(address, hexToBytes(account.code))
  const complete = state.account(address) ?? emptyAccount
  const slots = Object.entries(account.storage ?? {})
  if (slots.length > 0 && complete.nonce === 0n && !state.code(address).length)
    throw new ExecutionError('GENESIS_INVALID', `genesis: ${address} has storage but neither nonce nor code`, {
      address,
    })
  if (isEmptyAccount(complete)) state.setAccount(address, null)
  for (const [slot, word] of slots) {
    if (!/^0x[0-9a-fA-F]{64}$/.test(slot) || !/^0x[0-9a-fA-F]{64}$/.test(word))
      throw new ExecutionError('GENESIS_INVALID', `genesis: ${address} has storage that is no word`, { address, slot })
    state.setSlot(address, slot.toLowerCase() as typeof slot & `0x${string}`, trimWord(hexToBytes(word)))
  }
}
