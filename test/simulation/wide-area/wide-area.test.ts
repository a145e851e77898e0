import { expect, it } from 'vitest'
import { latencyFloorMs } from './latency-floor.js'
import { readRegionLatencies } from './region-latencies.js'
import { runWideArea } from './run-wide-area.js'

it('knows what latencies alone need: 243 ms for a hundred sequencers over thirteen regions', () => {
  const { regions, oneWayMs } = readRegionLatencies()
  const oneWay = (from: number, to: number) => oneWayMs(from % regions.length, to % regions.length)
  expect(regions).toHaveLength(13)
  expect(latencyFloorMs({ members: 100, quorum: 67, oneWayMs: oneWay })).toBeCloseTo(243.4, 1)
})

it('decides on wires over the world within a third more than latency needs, each height in round 0', async () => {
  const report = await runWideArea({ members: 13, heights: 13, transactionBytes: 20_000 })
  expect(report.decisionMs).toBeGreaterThan(report.floorMs)
  expect(report.decisionMs / report.floorMs).toBeLessThan(1.3)
  expect(report.lateHeights).toBe(0)
  expect(await runWideArea({ members: 13, heights: 13, transactionBytes: 20_000 })).toEqual(report)
})

it('takes no more than twice the CPU a block with 128 sequencers as with four', async () => {
  const few = await runWideArea({ members: 4, heights: 13, transactionBytes: 20_000 })
  const many = await runWideArea({ members: 128, heights: 4, transactionBytes: 20_000 })
  expect(many.cpuMsPerBlock / few.cpuMsPerBlock).toBeLessThanOrEqual(2)
  expect(many.decisionMs / many.floorMs).toBeLessThan(1.3)
  expect(many.lateHeights).toBe(0)
})
