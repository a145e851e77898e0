import { expect, test } from 'vitest'
import { devnetDeployer, devnetSequencer, devnetUsers } from './devnet-accounts.js'

test('the users are the ten accounts that anvil and hardhat show', () => {
  const users = devnetUsers()
  expect(users.length).toBe(10)
  expect(users[0]).toEqual({
    address: '0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266',
    privateKey: '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80',
  })
  expect(users[9]!.address).toBe('0xa0ee7a142d267c1f36714e4a8f75612f20a79720')
})

test('every role of every sequencer has an account and a key of its own', () => {
  const accounts = [devnetDeployer(), ...devnetUsers()]
  for (let i = 0; i < 20; i++) {
    const { operator, submitter, relayer } = devnetSequencer(i)
    accounts.push(operator, submitter, relayer)
  }
  expect(new Set(accounts.map(account => account.address)).size).toBe(accounts.length)
  expect(devnetSequencer(1).consensusKey.publicKey()).not.toEqual(devnetSequencer(0).consensusKey.publicKey())
})
