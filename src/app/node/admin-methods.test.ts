import { expect, it } from 'vitest'
import { RpcArguments } from '../../io/execution/embedded/queries/rpc-argument.js'
import { silentLogger } from '../../io/telemetry/logger.js'
import { VirtualClock } from '../../io/time/virtual-clock.js'
import type { CallContext } from '../../services/rpc/rpc-method.js'
import { adminMethods } from './admin-methods.js'
import { Component, type ComponentName } from './component.js'

const context: CallContext = {
  subscriber: null,
  caller: null,
  isGone: false,
  whenGone: () => () => {},
  holds() {},
  afterAnswer() {},
}

async function setUp() {
  const clock = new VirtualClock(1_700_000_000_000)
  const scene = { clock, stopping: Promise.resolve(), starting: Promise.resolve() }
  const make = async (name: ComponentName) => {
    const recipe = { start: () => scene.starting.then(() => ({})), stop: () => scene.stopping }
    const component = new Component(name, recipe, { clock, logger: silentLogger, fail: () => {} })
    await component.start()
    return component
  }
  const methods = adminMethods({ components: [await make('rpc'), await make('batcher')], clock, logger: silentLogger })
  const call = async (name: string, ...params: unknown[]) =>
    methods[name]!({ args: new RpcArguments(params), params, context })
  return { scene, call }
}

it('tells each component, and restarts the one that is named', async () => {
  const { scene, call } = await setUp()
  const running = { state: 'running', restarts: 0, lastError: null, since: '2023-11-14T22:13:20.000Z' }
  expect(await call('admin_components')).toEqual([
    { name: 'rpc', ...running },
    { name: 'batcher', ...running },
  ])
  await scene.clock.advance(1_000)
  expect(await call('admin_restart', 'batcher')).toEqual({
    ...running,
    name: 'batcher',
    restarts: 1,
    since: '2023-11-14T22:13:21.000Z',
  })
})

it('refuses what it does not know', async () => {
  const { call } = await setUp()
  await expect(call('admin_restart', 'submitter')).rejects.toThrow("no component 'submitter': it has rpc, batcher")
  await expect(call('admin_restart')).rejects.toThrow('missing value for required argument 0')
  await expect(call('admin_restart', 7)).rejects.toThrow('invalid argument 0')
  await expect(call('admin_restart', 'rpc', 'now')).rejects.toThrow('too many arguments')
  await expect(call('admin_components', 1)).rejects.toThrow('too many arguments')
})

it('says why a component did not start, and when one takes too long', async () => {
  const { scene, call } = await setUp()
  scene.starting = Promise.reject(new RangeError('port 8545 is in use'))
  scene.starting.catch(() => {})
  await expect(call('admin_restart', 'rpc')).rejects.toThrow('the rpc did not start again: port 8545 is in use')
  expect(await call('admin_components')).toMatchObject([{ state: 'waiting', lastError: 'port 8545 is in use' }, {}])
  scene.stopping = new Promise(() => {})
  const late = expect(call('admin_restart', 'batcher')).rejects.toThrow('the batcher is still stopping after 30 s')
  await scene.clock.advance(30_000)
  await late
})
