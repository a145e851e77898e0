import { readFileSync } from 'node:fs'
import path from 'node:path'
import { packageRoot } from '../../../src/app/package-root.js'

/** Milliseconds one way between two machines of one region: the table has none. */
const withinRegionMs = 0.3

/** One-way latencies between public cloud regions. */
export interface RegionLatencies {
  readonly regions: readonly string[]
  /** Milliseconds from the one region to the other. */
  oneWayMs(from: number, to: number): number
}

/** Reads the table of measured latencies that lies beside this file in the sources. */
export function readRegionLatencies(): RegionLatencies {
  const file = path.join(packageRoot, 'test/simulation/wide-area/cloud-region-latencies.csv')
  const [head, ...rows] = readFileSync(file, 'utf8').trim().split('\n')
  const regions = head!.split(',').slice(1)
  const table = rows.map(row => row.split(',').slice(1).map(Number))
  return { regions, oneWayMs: (from, to) => (from === to ? withinRegionMs : table[from]![to]!) }
}
