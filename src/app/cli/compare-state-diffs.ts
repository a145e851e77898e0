/** One account of a `morphism_stateDiff` answer; all but the address are hex. */
export interface DiffedAccountJson {
  readonly address: string
  readonly nonce: string
  readonly balance: string
  readonly codeHash: string
  readonly storageRoot: string
}

/** A `morphism_stateDiff` answer. */
export interface StateDiffJson {
  readonly blockHash: string
  readonly height: string
  readonly claimedStateRoot: string
  readonly computedStateRoot: string
  readonly accounts: readonly DiffedAccountJson[]
  readonly changed: string
}

const fields = ['nonce', 'balance', 'codeHash', 'storageRoot'] as const

/** One field of one account in which two nodes differ; null where that node did not change the account. */
export interface StateDifference {
  readonly address: string
  readonly field: (typeof fields)[number]
  readonly mine: string | null
  readonly theirs: string | null
}

/** Where two nodes' executions of one block differ, by address. */
export function compareStateDiffs(mine: StateDiffJson, theirs: StateDiffJson): StateDifference[] {
  const ours = new Map(mine.accounts.map(account => [account.address, account]))
  const others = new Map(theirs.accounts.map(account => [account.address, account]))
  const addresses = [...new Set([...ours.keys(), ...others.keys()])].sort()
  return addresses.flatMap(address => {
    const [a, b] = [ours.get(address), others.get(address)]
    return fields
      .filter(field => a?.[field] !== b?.[field])
      .map(field => ({ address, field, mine: a?.[field] ?? null, theirs: b?.[field] ?? null }))
  })
}
