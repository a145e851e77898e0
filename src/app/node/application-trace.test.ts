import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Logger, silentLogger } from '../../io/telemetry/logger.js'
import { VirtualClock } from '../../io/time/virtual-clock.js'
import type { Application } from '../../services/sequencer/application.js'
import { ApplicationTrace, applicationTraceName } from './application-trace.js'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'morphism-trace-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

const clock = new VirtualClock(5_000)
// Extending a vote is the call that needs no block.
const application = { extendVote: () => Uint8Array.of(7) } as unknown as Application

it('has each call at once, and goes on behind what an earlier run left', () => {
  const file = path.join(dir, applicationTraceName)
  for (const head of [3, 8]) {
    const trace = new ApplicationTrace(file, { clock, logger: silentLogger })
    const watched = trace.watch(application, () => head)
    expect(watched.extendVote({ height: head + 1 })).toEqual(Uint8Array.of(7))
    expect(JSON.parse(readFileSync(file, 'utf8').trim().split('\n').at(-1)!)).toEqual({
      atMs: 5_000,
      head,
      event: 'extendVote',
      height: head + 1,
    })
    trace.close()
  }
  const events = readFileSync(file, 'utf8').split('\n').filter(Boolean)
  expect(events.map(line => (JSON.parse(line) as { event: string }).event)).toEqual([
    'run',
    'extendVote',
    'run',
    'extendVote',
  ])
})

it.runIf(process.platform === 'linux')('ends at a full disk, and the node goes on', () => {
  const errors: string[] = []
  const logger: Logger = { ...silentLogger, error: message => errors.push(message) }
  const trace = new ApplicationTrace('/dev/full', { clock, logger })
  const watched = trace.watch(application, () => 3)
  for (let i = 0; i < 3; i++) expect(watched.extendVote({ height: 4 })).toEqual(Uint8Array.of(7))
  expect(errors).toEqual(['the trace of the application cannot be written: it ends here'])
  trace.close()
})
