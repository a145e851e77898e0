import { expect, it } from 'vitest'
import { VirtualClock } from '../../io/time/virtual-clock.js'
import { StepTiming } from './step-timing.js'

it('observes each step once it is over, and nothing while the height waits', async () => {
  const clock = new VirtualClock()
  const observed: [string, number][] = []
  const nothing = { inc() {}, set() {}, observe() {} }
  const timing = new StepTiming(clock, {
    counter: () => nothing,
    gauge: () => nothing,
    histogram: name => ({ observe: value => observed.push([name.split('_')[2]!, value]) }),
  })
  const at = async (ms: number, step: 'propose' | 'prevote' | 'precommit', more = {}) => {
    await clock.advance(ms - clock.nowMs())
    timing.look({ step, waiting: false, decided: false, ...more })
  }
  timing.startHeight()
  await at(10, 'propose', { waiting: true })
  await at(20, 'propose')
  await at(25, 'propose')
  await at(30, 'prevote')
  await at(34, 'precommit')
  await at(40, 'precommit', { decided: true })
  timing.startHeight()
  await at(90, 'propose', { waiting: true })
  expect(observed).toEqual([
    ['propose', 0.01],
    ['prevote', 0.004],
    ['precommit', 0.006],
  ])
})
