import { beforeEach, describe, expect, it } from 'vitest'
import { VirtualClock } from '../../io/time/virtual-clock.js'
import { WorkWatch } from './work-watch.js'

let clock: VirtualClock
let hasWork: boolean
let tell: () => void
let announced: { height: number; atMs: number }[]
let watch: WorkWatch

beforeEach(() => {
  clock = new VirtualClock(10_000)
  hasWork = false
  announced = []
  watch = new WorkWatch({
    clock,
    work: {
      hasWork: () => hasWork,
      onWork: listener => {
        tell = listener
      },
    },
    onWork: height => announced.push({ height, atMs: clock.nowMs() }),
  })
})

const parameters = { minBlockIntervalMs: 100, emptyBlockIntervalMs: 5_000 }
const start = (parentTimestampMs: number, height = 1) => watch.startHeight({ height, parentTimestampMs, parameters })

describe('WorkWatch', () => {
  it('announces at once when work waits and the parent is old enough', () => {
    hasWork = true
    start(9_900)
    expect(announced).toEqual([{ height: 1, atMs: 10_000 }])
  })

  it('waits for the minimal interval since the parent', async () => {
    hasWork = true
    start(9_950)
    expect(announced).toEqual([])
    await clock.advance(49)
    tell()
    expect(announced).toEqual([])
    await clock.advance(1)
    expect(announced).toEqual([{ height: 1, atMs: 10_050 }])
  })

  it('announces although the timer fired a millisecond early', async () => {
    const { schedule } = clock
    clock.schedule = (delayMs, task) => {
      const cancel = schedule.call(clock, delayMs - 1, task)
      if (delayMs === 50) clock.schedule = schedule
      return cancel
    }
    hasWork = true
    start(9_950)
    await clock.advance(50)
    expect(announced).toEqual([{ height: 1, atMs: 10_050 }])
  })

  it('announces when work comes later', async () => {
    start(9_000)
    await clock.advance(500)
    tell()
    expect(announced).toEqual([])
    hasWork = true
    tell()
    expect(announced).toEqual([{ height: 1, atMs: 10_500 }])
  })

  it('announces an empty block after its interval, counted from the parent', async () => {
    start(8_000)
    await clock.advance(2_999)
    expect(announced).toEqual([])
    await clock.advance(1)
    expect(announced).toEqual([{ height: 1, atMs: 13_000 }])
  })

  it('announces a height once', async () => {
    hasWork = true
    start(9_000)
    tell()
    tell()
    await clock.advance(20_000)
    expect(announced).toHaveLength(1)
  })

  it('forgets the timers of the height before', async () => {
    start(9_980)
    start(9_990, 2)
    await clock.advance(4_989)
    expect(announced).toEqual([])
    await clock.advance(1)
    expect(announced).toEqual([{ height: 2, atMs: 14_990 }])
  })

  it('is silent once stopped', async () => {
    start(9_980)
    watch.stop()
    hasWork = true
    tell()
    await clock.advance(20_000)
    expect(announced).toEqual([])
  })
})
