import { expect, it } from 'vitest'
import { type Logger, silentLogger } from '../../io/telemetry/logger.js'
import { failure, Lifecycle } from './lifecycle.js'

/** A lifecycle with what it logged and which parts were stopped. */
function setUp(limitMs?: number) {
  const errors: [string, unknown][] = []
  const stopped: string[] = []
  const logger: Logger = { ...silentLogger, error: (message, fields) => errors.push([message, fields]) }
  const lifecycle = new Lifecycle(logger, limitMs)
  const own = (name: string) => lifecycle.own(name, async () => void stopped.push(name))
  return { errors, stopped, logger, lifecycle, own }
}
const never = () => new Promise<void>(() => {})

it('parts are stopped in reverse order, once, whatever one of them does', async () => {
  const { errors, stopped, lifecycle, own } = setUp()
  own('first')
  const broken = new Error('broken')
  lifecycle.own('second', () => Promise.reject(broken))
  own('third')
  await Promise.all([lifecycle.stop(), lifecycle.stop()])
  expect(stopped).toEqual(['third', 'first'])
  expect(errors).toEqual([['a part did not stop cleanly', { part: 'second', error: broken }]])
})

it('a part that does not stop holds up the end of the node for a while only, and is named', async () => {
  const { errors, stopped, lifecycle, own } = setUp(50)
  own('store')
  lifecycle.own('hangs', never)
  own('rpc')
  await lifecycle.stop()
  expect(stopped).toEqual(['rpc'])
  expect(errors).toEqual([['a part does not stop: the node ends as it is', { part: 'hangs' }]])
}, 5_000)

it('a node that gives up says why, and is told to have ended though a part of it hangs', async () => {
  const { errors, logger, lifecycle } = setUp(50)
  lifecycle.own('hangs', never)
  const stopping = new AbortController()
  const { failed, fail } = failure({ logger, lifecycle, stopping })
  const reason = new Error('the disk is full')
  fail(reason)
  fail(new Error('what follows from it'))
  await failed
  expect(stopping.signal.aborted).toBe(true)
  expect(errors.map(([message]) => message)).toEqual([
    'the node must stop',
    'a part does not stop: the node ends as it is',
  ])
  expect(errors[0]![1]).toEqual({ error: reason })
}, 5_000)
