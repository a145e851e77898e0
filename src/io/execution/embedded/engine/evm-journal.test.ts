import type { Common, StateManagerInterface } from '@ethereumjs/common'
import { createEVM } from '@ethereumjs/evm'
import { Account, Address } from '@ethereumjs/util'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { bytesToHex, uintToBytes } from '../../../../base/primitives/bytes.js'
import { createCommon } from './evm-common.js'
import { EvmJournal } from './evm-journal.js'

// 3 is RIPEMD-160, whose touch outlives a revert.
const addresses = [1, 2, 3, 4].map(n => uintToBytes(n, 20))
const slots = [0, 1, 2].map(n => uintToBytes(n, 32))
const common = createCommon(7)
const library = (await createEVM({ common })).journal.constructor as new (
  state: StateManagerInterface,
  common: Common,
) => EvmJournal

/** A journal on a state that writes down what is asked of it, and in which half of the accounts are empty or missing. */
function journalOn(create: (state: StateManagerInterface) => EvmJournal) {
  const asked: string[] = []
  const note = (what: string) => async (address?: Address) => void asked.push(`${what} ${address ?? ''}`)
  const accounts = [undefined, new Account(), undefined, new Account(1n)]
  const getAccount = async (address: Address) => accounts[address.bytes[19]! - 1]
  const writes = { putAccount: note('put'), deleteAccount: note('delete') }
  const checkpoints = { checkpoint: note('checkpoint'), commit: note('commit'), revert: note('revert') }
  const journal = create({ getAccount, ...writes, ...checkpoints } as unknown as StateManagerInterface)
  return { journal, asked }
}

function contentOf({ journal, asked }: ReturnType<typeof journalOn>) {
  return {
    asked,
    warm: addresses.map(address => journal.isWarmedAddress(address)),
    warmSlots: addresses.flatMap(address => slots.map(slot => journal.isWarmedStorage(address, slot))),
    accessList: journal.accessList,
  }
}

const kind = fc.constantFrom(
  ...(['checkpoint', 'checkpoint', 'checkpoint', 'commit', 'commit', 'revert', 'revert'] as const),
  ...(['put', 'delete', 'warm', 'warmSlot', 'warmSlot', 'alwaysWarm', 'alwaysWarmSlot'] as const),
  ...(['cleanJournal', 'cleanup'] as const),
)
const command = fc.record({
  kind,
  address: fc.constantFrom(...addresses),
  slot: fc.constantFrom(...slots),
  isReported: fc.boolean(),
})
type Command = typeof command extends fc.Arbitrary<infer One> ? One : never

async function apply(journal: EvmJournal, { kind, address, slot, isReported }: Command): Promise<void> {
  if (kind === 'checkpoint' || kind === 'commit' || kind === 'revert') return journal[kind]()
  if (kind === 'put') return journal.putAccount(new Address(address), new Account())
  if (kind === 'delete') return journal.deleteAccount(new Address(address))
  if (kind === 'warm') return journal.addWarmedAddress(address)
  if (kind === 'warmSlot') return journal.addWarmedStorage(address, slot)
  if (kind === 'alwaysWarm') return journal.addAlwaysWarmAddress(bytesToHex(address), isReported)
  if (kind === 'alwaysWarmSlot')
    return journal.addAlwaysWarmSlot(bytesToHex(address).slice(2), bytesToHex(slot), isReported)
  if (kind === 'cleanup') await journal.cleanup()
  else journal.cleanJournal()
  if (isReported) journal.startReportingAccessList()
}

it("holds what the EVM library's journal holds, and asks the same of the state", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 80 }), async list => {
      const theirs = journalOn(state => new library(state, common))
      const ours = journalOn(state => new EvmJournal(state))
      let depth = 0
      for (const command of [...list, { ...list[0]!, kind: 'cleanup' as const }]) {
        // A transaction commits after it cleaned the journal, but none reverts what it does not have.
        if (command.kind === 'revert' && depth === 0) continue
        if (command.kind === 'checkpoint') depth++
        if (command.kind === 'commit' || command.kind === 'revert') depth = Math.max(0, depth - 1)
        if (command.kind.startsWith('clean')) depth = 0
        await apply(theirs.journal, command)
        await apply(ours.journal, command)
        expect(contentOf(ours)).toEqual(contentOf(theirs))
      }
    }),
    { numRuns: 500 },
  )
})
