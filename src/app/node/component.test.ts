import { describe, expect, it } from 'vitest'
import { InvariantError } from '../../base/primitives/invariant.js'
import { silentLogger } from '../../io/telemetry/logger.js'
import { VirtualClock } from '../../io/time/virtual-clock.js'
import { Component } from './component.js'

interface Part {
  readonly number: number
  readonly failed: (error: unknown) => void
}

/** A gate that the test opens. */
function gate() {
  let open = () => {}
  const opened = new Promise<void>(resolve => {
    open = resolve
  })
  return { opened, open }
}

/** A component whose starts and stops are noted; what a start waits for or throws is for the test to say. */
function setUp() {
  const clock = new VirtualClock()
  const events: string[] = []
  const fatal: unknown[] = []
  const scene = {
    clock,
    events,
    fatal,
    made: [] as Part[],
    beforeStart: async (_number: number) => {},
    beforeStop: async () => {},
    component: undefined as unknown as Component<Part>,
  }
  scene.component = new Component<Part>(
    'rpc',
    {
      async start(failed) {
        const number = scene.made.length + 1
        await scene.beforeStart(number)
        const part = { number, failed }
        scene.made.push(part)
        events.push(`start ${number}`)
        return part
      },
      async stop({ number }, isForGood) {
        await scene.beforeStop()
        events.push(`stop ${number}${isForGood ? ' for good' : ''}`)
      },
    },
    { clock, logger: silentLogger, fail: error => fatal.push(error) },
  )
  return scene
}

describe('a component', () => {
  it('gives the part that runs, and none while there is none', async () => {
    const { component, made } = setUp()
    expect(component.current()).toBeNull()
    expect(component.use(part => part.number, 0)).toBe(0)
    await component.start()
    expect(component.current()).toBe(made[0])
    expect(component.use(part => part.number, 0)).toBe(1)
    await component.dispose()
    expect(component.current()).toBeNull()
    expect(component.status().state).toBe('stopped')
  })

  it('does not run when its first start fails, and does not try again', async () => {
    const scene = setUp()
    scene.beforeStart = () => Promise.reject(new RangeError('port in use'))
    await expect(scene.component.start()).rejects.toThrow('port in use')
    await scene.clock.advance(300_000)
    expect(scene.component.status()).toMatchObject({ state: 'stopped', restarts: 0 })
    expect(scene.events).toEqual([])
  })

  it('is stopped wholly before another is made', async () => {
    const scene = setUp()
    const { component, events } = scene
    await component.start()
    const stopped = gate()
    scene.beforeStop = () => stopped.opened
    const restarted = component.restart()
    await scene.clock.advance(10_000)
    expect(component.status()).toMatchObject({ state: 'stopping', sinceMs: 0 })
    expect(component.current()).toBeNull()
    expect(events).toEqual(['start 1'])
    stopped.open()
    await restarted
    expect(events).toEqual(['start 1', 'stop 1', 'start 2'])
    expect(component.status()).toMatchObject({ state: 'running', restarts: 1, sinceMs: 10_000, lastError: null })
  })

  it('restarts once more for all who ask while it is starting', async () => {
    const scene = setUp()
    const { component, events } = scene
    await component.start()
    const started = gate()
    scene.beforeStart = () => started.opened
    const first = component.restart()
    await scene.clock.advance(1)
    expect(component.status().state).toBe('starting')
    const others = Array.from({ length: 100 }, () => component.restart())
    started.open()
    await Promise.all([first, ...others])
    expect(events).toEqual(['start 1', 'stop 1', 'start 2', 'stop 2', 'start 3'])
  })

  it('that does not start again is tried after 1, 2, 4 … 60 seconds, and at once when asked', async () => {
    const scene = setUp()
    const { component, clock } = scene
    await component.start()
    const triesMs: number[] = []
    scene.beforeStart = async () => {
      triesMs.push(clock.nowMs())
      throw new RangeError('port in use')
    }
    await expect(component.restart()).rejects.toThrow('port in use')
    expect(component.status()).toMatchObject({ state: 'waiting', lastError: 'port in use', restarts: 0 })
    for (let second = 0; second < 200; second++) await clock.advance(1_000)
    expect(triesMs.map(ms => ms / 1_000)).toEqual([0, 1, 3, 7, 15, 31, 63, 123, 183])
    scene.beforeStart = async () => {}
    await component.restart()
    expect(component.status()).toMatchObject({ state: 'running', lastError: 'port in use', restarts: 1 })
    await clock.advance(120_000)
    expect(component.status().restarts).toBe(1)
  })

  it('that fails is stopped and made anew after a pause, which is short again once it has run for a minute', async () => {
    const { component, clock, made, events } = setUp()
    await component.start()
    for (const [at, pauseMs] of [1_000, 2_000, 4_000].entries()) {
      made[at]!.failed(new RangeError('broken'))
      expect(component.current()).toBeNull()
      await clock.advance(pauseMs - 1)
      expect(component.status()).toMatchObject({ state: 'waiting', lastError: 'broken' })
      await clock.advance(1)
      expect(component.current()?.number).toBe(at + 2)
    }
    await clock.advance(60_000)
    made[3]!.failed(new RangeError('broken'))
    await clock.advance(1_000)
    expect(component.current()?.number).toBe(5)
    expect(events.slice(0, 3)).toEqual(['start 1', 'stop 1', 'start 2'])
  })

  it('hears of a failure while it starts', async () => {
    const scene = setUp()
    const { component, clock } = scene
    let failed: (error: unknown) => void = () => {}
    const early = new Component<object>(
      'rpc',
      {
        async start(report) {
          failed = report
          failed(new RangeError('early'))
          return {}
        },
        stop: async () => {},
      },
      { clock, logger: silentLogger, fail: () => {} },
    )
    await early.start()
    await clock.advance(1)
    expect(early.status()).toMatchObject({ state: 'waiting', lastError: 'early' })
    await component.dispose()
  })

  it('takes nothing from a part that was replaced', async () => {
    const { component, made, clock } = setUp()
    await component.start()
    await component.restart()
    made[0]!.failed(new RangeError('late'))
    await clock.advance(60_000)
    expect(component.status()).toMatchObject({ state: 'running', restarts: 1, lastError: null })
  })

  it('costs its user nothing when a task on the part throws', async () => {
    const { component, clock } = setUp()
    await component.start()
    const broken = () => {
      throw new TypeError('a bug')
    }
    expect(component.use(broken, 'nothing')).toBe('nothing')
    expect(component.current()).toBeNull()
    await clock.advance(1_000)
    expect(component.status()).toMatchObject({ state: 'running', restarts: 1, lastError: 'a bug' })
  })

  it.each(['failed', 'use', 'start'] as const)('stops the node when an invariant breaks (%s)', async where => {
    const scene = setUp()
    const { component, made, fatal, clock } = scene
    await component.start()
    const error = new InvariantError('cannot be')
    const throwIt = () => {
      throw error
    }
    if (where === 'failed') made[0]!.failed(error)
    if (where === 'use') component.use(throwIt, undefined)
    if (where === 'start') {
      scene.beforeStart = async () => throwIt()
      await expect(component.restart()).rejects.toBe(error)
    }
    expect(fatal).toEqual([error])
    await clock.advance(60_000)
    expect(component.status().restarts).toBe(0)
  })

  it('that is disposed while it restarts leaves nothing running', async () => {
    const scene = setUp()
    const { component, events, clock } = scene
    await component.start()
    const started = gate()
    scene.beforeStart = () => started.opened
    const restarting = component.restart()
    const again = clock.advance(1).then(() => component.restart().catch(error => error.code))
    await clock.advance(1)
    const disposed = component.dispose()
    started.open()
    await Promise.all([restarting, disposed])
    expect(events).toEqual(['start 1', 'stop 1', 'start 2', 'stop 2 for good'])
    expect(await again).toBe('COMPONENT_NOT_RUNNING')
    await clock.advance(300_000)
    expect(component.status().state).toBe('stopped')
  })

  it('that waits to start again is disposed at once', async () => {
    const { component, made, clock, events } = setUp()
    await component.start()
    made[0]!.failed(new RangeError('broken'))
    await clock.advance(10)
    await component.dispose()
    await clock.advance(300_000)
    expect(events).toEqual(['start 1', 'stop 1'])
  })
})
