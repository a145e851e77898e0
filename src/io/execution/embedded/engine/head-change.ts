import { bytesToHex, type Hex } from '../../../../base/primitives/bytes.js'
import type { Address } from '../../../../base/primitives/hashes.js'
import type { AccountState, HeadChange } from '../../execution-client.js'
import { type AccountRecord, emptyAccount, hasCode, isDelegation } from '../state/account-record.js'
import type { StateView } from '../state/state-view.js'
import type { ExecutedBlock } from '../store/chain-store.js'

const quantity = (value: number): Hex => `0x${value.toString(16)}`

/** What subscribers hear of a new head, before the stored state follows. `before` is the state of the old head. */
export function headChangeOf(path: readonly ExecutedBlock[], before: StateView): HeadChange {
  const head = path.at(-1)!
  const touched = new Map<Address, AccountState & { readonly address: Address }>()
  for (const { state } of path)
    for (const address of state.changes.accounts.keys()) {
      const old = before.account(address) ?? emptyAccount
      const now = head.state.account(address) ?? emptyAccount
      if (
        old.nonce === now.nonce &&
        old.balance === now.balance &&
        bytesToHex(old.codeHash) === bytesToHex(now.codeHash)
      )
        continue
      touched.set(address, { address, ...accountStateOf(now, head.state) })
    }
  return { block: head.block, touched: [...touched.values()], logs: path.flatMap(logsOf) }
}

/** What the mempool needs to know of an account. */
export function accountStateOf(record: AccountRecord, state: { code(codeHash: Uint8Array): Uint8Array }): AccountState {
  return {
    nonce: Number(record.nonce),
    balance: record.balance,
    hasCode: hasCode(record) && !isDelegation(state.code(record.codeHash)),
  }
}

/** Logs of a block as eth_getLogs gives them. */
function logsOf({ block, receipts, transactionHashes }: ExecutedBlock): readonly unknown[] {
  const { hash: blockHash, header } = block
  const logs: unknown[] = []
  receipts.forEach((receipt, index) => {
    for (const { address, topics, data } of receipt.logs)
      logs.push({
        address,
        topics,
        data: bytesToHex(data),
        blockNumber: quantity(header.number),
        blockHash,
        blockTimestamp: quantity(header.timestamp),
        transactionHash: transactionHashes[index]!,
        transactionIndex: quantity(index),
        logIndex: quantity(logs.length),
        removed: false,
      })
  })
  return logs
}
