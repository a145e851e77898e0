import { expect, it } from 'vitest'
import { JsonText } from '../../../base/encoding/json.js'
import { RpcArguments } from '../../../io/execution/embedded/queries/rpc-argument.js'
import { VirtualClock } from '../../../io/time/virtual-clock.js'
import { FakeNode, token } from '../fake-node.fixture.js'
import { FilterRegistry } from '../filter-registry.js'
import { PacedWork } from '../paced-work.js'
import { defaultRpcConfig } from '../rpc-config.js'
import type { RpcCall } from '../rpc-method.js'
import { SlowLine } from '../slow-line.js'
import { filterMethods } from './filter-methods.js'

it('a filter keeps what was read of the caller’s object, each address and topic once, and nothing else', async () => {
  const { heads, mempool } = new FakeNode().ports()
  const work = new PacedWork<'filters'>()
  const filters = new FilterRegistry({ config: defaultRpcConfig, clock: new VirtualClock(), heads, mempool, work })
  const asked: unknown[] = []
  const methods = filterMethods({
    filters,
    slow: new SlowLine(),
    ask: {
      text: async (method, params) => {
        asked.push(method, params)
        return new JsonText('[]')
      },
    },
  })
  const call = (...params: unknown[]) =>
    ({ args: new RpcArguments(params), params, context: { host: null } }) as unknown as RpcCall
  const criteria = { address: [token, token], topics: [null], fromBlock: '0x1', padding: 'x'.repeat(1_000_000) }
  const id = await methods.eth_newFilter!(call(criteria))
  await methods.eth_getFilterLogs!(call(id))
  expect(asked).toEqual(['eth_getLogs', [{ address: [token], topics: [[]], fromBlock: '0x1' }]])
})
