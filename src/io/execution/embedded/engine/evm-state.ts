import type { AccountFields, StateManagerInterface } from '@ethereumjs/common'
import { Account, type Address as EvmAddress } from '@ethereumjs/util'
import { bytesToHex } from '../../../../base/primitives/bytes.js'
import type { Address } from '../../../../base/primitives/hashes.js'
import { InvariantError } from '../../../../base/primitives/invariant.js'
import { type AccountRecord, emptyAccount } from '../state/account-record.js'
import { trimWord } from '../state/slot-value.js'
import type { WorkingState } from '../state/working-state.js'

/** The EVM library's view of the state that is being executed on; roots are computed elsewhere, once per block. */
export class EvmState implements StateManagerInterface {
  private current: WorkingState | null = null

  readonly originalStorageCache = {
    get: async (address: EvmAddress, key: Uint8Array): Promise<Uint8Array> =>
      this.working.originalSlot(keyOf(address), bytesToHex(key)),
    clear: (): void => this.current?.startTransaction(),
  }

  /** What the next execution reads and writes. */
  use(working: WorkingState): void {
    this.current = working
  }

  get working(): WorkingState {
    if (this.current === null) throw new InvariantError('the EVM runs only on a state')
    return this.current
  }

  async getAccount(address: EvmAddress): Promise<Account | undefined> {
    const record = this.working.account(keyOf(address))
    // The library changes the object that it gets, so each caller has one of its own.
    return record === null ? undefined : new Account(record.nonce, record.balance, record.storageRoot, record.codeHash)
  }

  async putAccount(address: EvmAddress, account?: Account): Promise<void> {
    if (account === undefined) this.working.deleteAccount(keyOf(address))
    else this.working.setAccount(keyOf(address), recordOf(account))
  }

  async deleteAccount(address: EvmAddress): Promise<void> {
    this.working.deleteAccount(keyOf(address))
  }

  async modifyAccountFields(address: EvmAddress, fields: AccountFields): Promise<void> {
    const account = this.working.account(keyOf(address)) ?? emptyAccount
    this.working.setAccount(keyOf(address), {
      nonce: fields.nonce ?? account.nonce,
      balance: fields.balance ?? account.balance,
      storageRoot: fields.storageRoot ?? account.storageRoot,
      codeHash: fields.codeHash ?? account.codeHash,
    })
  }

  async putCode(address: EvmAddress, value: Uint8Array): Promise<void> {
    this.working.setCode(keyOf(address), value)
  }

  async getCode(address: EvmAddress): Promise<Uint8Array> {
    return this.working.code(keyOf(address))
  }

  async getCodeSize(address: EvmAddress): Promise<number> {
    return this.working.code(keyOf(address)).length
  }

  async getStorage(address: EvmAddress, key: Uint8Array): Promise<Uint8Array> {
    return this.working.slot(keyOf(address), bytesToHex(key))
  }

  async putStorage(address: EvmAddress, key: Uint8Array, value: Uint8Array): Promise<void> {
    this.working.setSlot(keyOf(address), bytesToHex(key), trimWord(value))
  }

  async clearStorage(address: EvmAddress): Promise<void> {
    this.working.clearStorage(keyOf(address))
  }

  async checkpoint(): Promise<void> {
    this.working.checkpoint()
  }

  async commit(): Promise<void> {
    this.working.commit()
  }

  async revert(): Promise<void> {
    this.working.revert()
  }

  async getStateRoot(): Promise<Uint8Array> {
    throw new InvariantError('no receipt of this fork carries a state root')
  }

  async setStateRoot(): Promise<void> {
    throw new InvariantError('the EVM never chooses the state it runs on')
  }

  async hasStateRoot(): Promise<boolean> {
    return false
  }

  clearCaches(): void {}

  shallowCopy(): StateManagerInterface {
    return this
  }
}

const keyOf = (address: EvmAddress): Address => bytesToHex(address.bytes)

const recordOf = ({ nonce, balance, storageRoot, codeHash }: Account): AccountRecord => ({
  nonce,
  balance,
  storageRoot,
  codeHash,
})
