import type { StateManagerInterface } from '@ethereumjs/common'
import { type Account, Address, bytesToUnprefixedHex, hexToBytes, RIPEMD160_ADDRESS_STRING } from '@ethereumjs/util'

/** Hex without a prefix, as the EVM library names addresses and slots. */
type Name = string
type Undo = () => void

/**
 * Takes the place of the EVM library's journal: the addresses and slots that are warm (EIP-2929) and the accounts that are
 * touched (EIP-161), with nested checkpoints. The library's keeps sets of changes for every checkpoint and every commit, and
 * copies their list at each revert, so that a transaction of many calls takes time by the square of its gas; here a checkpoint
 * is a place in one list of changes to undo.
 */
export class EvmJournal {
  /** What was accessed since the report began, also in parts that were reverted. */
  accessList?: Map<Name, Set<Name>>
  private warm = new Map<Name, Set<Name>>()
  private alwaysWarm = new Map<Name, Set<Name>>()
  private touched = new Set<Name>()
  private readonly undo: Undo[] = []
  private readonly checkpoints: number[] = []

  constructor(private readonly state: StateManagerInterface) {}

  startReportingAccessList(): void {
    this.accessList = new Map()
  }

  putAccount(address: Address, account: Account | undefined): Promise<void> {
    this.touch(address)
    return this.state.putAccount(address, account)
  }

  deleteAccount(address: Address): Promise<void> {
    this.touch(address)
    return this.state.deleteAccount(address)
  }

  checkpoint(): Promise<void> {
    this.checkpoints.push(this.undo.length)
    return this.state.checkpoint()
  }

  commit(): Promise<void> {
    // There is none to end when the journal was cleaned within a transaction, as it is before the transaction's own commit.
    this.checkpoints.pop()
    return this.state.commit()
  }

  revert(): Promise<void> {
    const length = this.checkpoints.pop() ?? 0
    while (this.undo.length > length) this.undo.pop()!()
    return this.state.revert()
  }

  /** Forgets everything, open checkpoints too. */
  cleanJournal(): void {
    this.warm = new Map()
    this.alwaysWarm = new Map()
    this.touched = new Set()
    this.undo.length = 0
    this.checkpoints.length = 0
  }

  /** Removes the touched accounts that are empty (EIP-161), and forgets everything. */
  async cleanup(): Promise<void> {
    for (const name of this.touched) {
      const address = new Address(hexToBytes(`0x${name}`))
      const account = await this.state.getAccount(address)
      if (account === undefined || account.isEmpty()) await this.state.deleteAccount(address)
    }
    this.cleanJournal()
    delete this.accessList
  }

  addAlwaysWarmAddress(address: string, report = false): void {
    const name = withoutPrefix(address)
    slotsOf(this.alwaysWarm, name)
    if (report && this.accessList !== undefined) slotsOf(this.accessList, name)
  }

  addAlwaysWarmSlot(address: string, slot: string, report = false): void {
    this.addAlwaysWarmAddress(address, report)
    const name = withoutPrefix(address)
    slotsOf(this.alwaysWarm, name).add(withoutPrefix(slot))
    if (report) this.accessList?.get(name)?.add(withoutPrefix(slot))
  }

  isWarmedAddress(address: Uint8Array): boolean {
    const name = bytesToUnprefixedHex(address)
    return this.warm.has(name) || this.alwaysWarm.has(name)
  }

  addWarmedAddress(address: Uint8Array): void {
    this.warmSlots(bytesToUnprefixedHex(address))
  }

  isWarmedStorage(address: Uint8Array, slot: Uint8Array): boolean {
    const name = bytesToUnprefixedHex(address)
    const slotName = bytesToUnprefixedHex(slot)
    return this.warm.get(name)?.has(slotName) === true || this.alwaysWarm.get(name)?.has(slotName) === true
  }

  addWarmedStorage(address: Uint8Array, slot: Uint8Array): void {
    const name = bytesToUnprefixedHex(address)
    const slotName = bytesToUnprefixedHex(slot)
    const slots = this.warm.get(name) ?? this.warmSlots(name)
    if (!slots.has(slotName)) {
      slots.add(slotName)
      this.undo.push(() => slots.delete(slotName))
    }
    this.accessList?.get(name)?.add(slotName)
  }

  /** Warm slots of an address, which becomes warm itself. */
  private warmSlots(name: Name): Set<Name> {
    let slots = this.warm.get(name)
    if (slots === undefined) {
      slots = new Set()
      this.warm.set(name, slots)
      this.undo.push(() => this.warm.delete(name))
    }
    if (this.accessList !== undefined) slotsOf(this.accessList, name)
    return slots
  }

  private touch(address: Address): void {
    const name = bytesToUnprefixedHex(address.bytes)
    if (this.touched.has(name)) return
    this.touched.add(name)
    // Touched once, this one stays so even when that is reverted: what clients did in Ethereum's block 2,675,119 became the rule.
    if (name !== RIPEMD160_ADDRESS_STRING) this.undo.push(() => this.touched.delete(name))
  }
}

function slotsOf(map: Map<Name, Set<Name>>, name: Name): Set<Name> {
  let slots = map.get(name)
  if (slots === undefined) {
    slots = new Set()
    map.set(name, slots)
  }
  return slots
}

const withoutPrefix = (hex: string): string => (hex.startsWith('0x') ? hex.slice(2) : hex)
