import { expect, it } from 'vitest'
import { RpcArguments } from '../../../io/execution/embedded/queries/rpc-argument.js'
import type { Asker } from '../../../io/execution/execution-client.js'
import { VirtualClock } from '../../../io/time/virtual-clock.js'
import type { RpcCall } from '../rpc-method.js'
import { askExecution, executionMethods } from './execution-methods.js'

it('the execution client is told on whose behalf it is asked, and when it may stop', async () => {
  const askers: Asker[] = []
  const ask = (_method: string, _params: readonly unknown[], asker: Asker = {}) => {
    askers.push(asker)
    return new Promise<never>(() => {})
  }
  const clock = new VirtualClock()
  const methods = executionMethods(
    askExecution({ execution: { request: ask, requestText: ask }, clock, timeoutMs: 1_000 }),
  )
  const leave: (() => void)[] = []
  const call = (caller: unknown) => {
    const context = { caller, whenGone: (listener: () => void) => leave.push(listener) && (() => {}) }
    return methods.eth_call!({
      args: new RpcArguments([]),
      params: [],
      context,
    } as unknown as RpcCall) as Promise<never>
  }
  const [first, second] = [call('192.0.2.1'), call('192.0.2.2')]
  expect(askers.map(({ caller }) => caller)).toEqual(['192.0.2.1', '192.0.2.2'])
  leave[0]!()
  expect(askers.map(({ signal }) => signal?.aborted)).toEqual([true, false])
  const outcomes = Promise.allSettled([first, second])
  await clock.advance(1_000)
  for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: { rpc: { code: -32002 } } })
  expect(askers[1]!.signal?.aborted).toBe(true)
})
