import { expect, it } from 'vitest'
import { RpcArguments } from '../../../io/execution/embedded/queries/rpc-argument.js'
import { VirtualClock } from '../../../io/time/virtual-clock.js'
import type { RpcCall } from '../rpc-method.js'
import { askExecution, executionMethods } from './execution-methods.js'

it('long queries of one host leave places to others', async () => {
  const asked: unknown[] = []
  const execution = {
    request: () => new Promise<never>(() => {}),
    requestText: (...call: unknown[]) => {
      asked.push(call)
      return new Promise<never>(() => {})
    },
  }
  const methods = executionMethods(askExecution({ execution, clock: new VirtualClock(), timeoutMs: 1_000 }))
  const call = (host: string | null, method: string) => {
    const context = { host, subscriber: null, whenGone: () => () => {} }
    void methods[method]!({ args: new RpcArguments([]), params: [], context } as unknown as RpcCall)
  }
  const askedBy = (host: string | null, method: string) => {
    asked.length = 0
    for (let i = 0; i < 30; i++) call(host, method)
    return asked.length
  }
  expect([askedBy('192.0.2.1', 'eth_getLogs'), askedBy('192.0.2.1', 'eth_getBlockReceipts')]).toEqual([16, 0])
  expect([askedBy('192.0.2.2', 'eth_getLogs'), askedBy('192.0.2.1', 'eth_call'), askedBy(null, 'eth_getLogs')]).toEqual(
    [16, 30, 30],
  )
})
