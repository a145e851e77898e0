import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Address, zeroHash } from '../../../../base/primitives/hashes.js'
import { MemoryStore } from '../../../storage/memory-store.js'
import { ChainEngine } from '../engine/chain-engine.js'
import { createQueries } from '../queries-of-store.js'

const chainId = 7
const keeper: Address = '0x00000000000000000000000000000000000000aa'
/** With data it writes 1 to transient slot 0 and loops for ever, else it returns that slot. */
const keeperCode = '0x36600c575f5c5f5260205ff35b60015f5d5b601156'

let store: MemoryStore
beforeEach(async () => {
  store = new MemoryStore()
  await ChainEngine.open({
    store,
    genesis: {
      chainId,
      timestamp: 1_700_000_000,
      gasLimit: 30_000_000,
      l1OriginNumber: 0,
      l1OriginHash: zeroHash,
      alloc: { [keeper]: { balance: 0n, code: keeperCode } },
    },
  })
})
afterEach(() => store.close())

it('a call that was broken off leaves the next one no transient storage', async () => {
  let looks = 0
  const check = () => {
    if (looks++ === 20) throw new Error('stop')
  }
  const { queries } = createQueries({ store, chainId, timer: { check } })
  const call = (fields: object) => queries.request('eth_call', [{ to: keeper, ...fields }, 'latest'])
  await expect(call({ data: '0x01' })).rejects.toThrow('stop')
  expect(await call({})).toBe(zeroHash)
})
