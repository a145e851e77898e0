import { expect, test } from 'vitest'
import { defaultL1Rpc, ether, l1Endpoints } from './l1-endpoints.js'

const [a, b, c] = ['http://a.example:8545', 'https://b.example/v3/hunter2', 'https://c.example'] as const

test('one endpoint on this machine unless told', () => {
  expect(l1Endpoints({})).toEqual({ rpcUrls: [defaultL1Rpc] })
})

test('several endpoints and their quorum', () => {
  expect(l1Endpoints({ l1Rpc: [a, b, c] })).toEqual({ rpcUrls: [a, b, c] })
  expect(l1Endpoints({ l1Rpc: [a, b, c], l1Quorum: 3 })).toEqual({ rpcUrls: [a, b, c], quorum: 3 })
  expect(l1Endpoints({ l1Rpc: [a], l1Quorum: 1 })).toEqual({ rpcUrls: [a], quorum: 1 })
  expect(l1Endpoints({ l1Rpc: [a], l1FeeCap: 5n })).toEqual({ rpcUrls: [a], feeCap: 5n })
})

test.each([
  [{ l1Rpc: [] }, 'at least one'],
  [{ l1Rpc: [a, 'hunter2'] }, 'endpoint 1'],
  [{ l1Rpc: ['ws://a.example/hunter2'] }, 'endpoint 0'],
  [{ l1Rpc: [a, `${a}/`] }, 'twice'],
  [{ l1Rpc: [a, b], l1Quorum: 1 }, 'a quorum is 2 to 2'],
  [{ l1Rpc: [a, b, c], l1Quorum: 4 }, 'a quorum is 2 to 3'],
])('%j is refused by name', (flags, message) => {
  expect(() => l1Endpoints(flags)).toThrow(expect.objectContaining({ code: 'L1_ENDPOINTS' }))
  expect(() => l1Endpoints(flags)).toThrow(message)
  expect(() => l1Endpoints(flags)).not.toThrow('hunter2')
})

test('an amount of ether is read in wei', () => {
  expect(ether('0.25')).toBe(250_000_000_000_000_000n)
  expect(ether('3')).toBe(3n * 10n ** 18n)
  for (const text of ['', '-1', '1e3', '0x1', '1.', '.5', '0.1234567890123456789', 'NaN'])
    expect(() => ether(text)).toThrow('must be an amount of ether')
})
