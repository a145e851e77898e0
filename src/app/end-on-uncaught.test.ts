import { execFile } from 'node:child_process'
import { describe, expect, it } from 'vitest'

const program = (last: string) => `
  import { PinoLogger } from ${JSON.stringify(new URL('../io/telemetry/pino-logger.js', import.meta.url))}
  import { endOnUncaught } from ${JSON.stringify(new URL('./end-on-uncaught.js', import.meta.url))}
  endOnUncaught(PinoLogger.create({ level: 'error' }))
  setInterval(() => {}, 1_000)
  ${last}
`

/** Runs the program to its end. */
function run(last: string) {
  return new Promise<{ code: unknown; stdout: string; stderr: string }>(resolve => {
    execFile(
      process.execPath,
      ['--input-type=module', '--eval', program(last)],
      { timeout: 30_000 },
      (error, stdout, stderr) => resolve({ code: error?.code, stdout, stderr }),
    )
  })
}

describe('an error that nothing handles', () => {
  it.each([
    ['uncaughtException', "setTimeout(() => { throw new RangeError('too far') })"],
    ['unhandledRejection', "Promise.reject(new RangeError('too far'))"],
  ])('ends the process with a line in the log: %s', async (origin, last) => {
    const { code, stdout, stderr } = await run(last)
    expect([code, stderr]).toEqual([1, ''])
    const lines = stdout.trim().split('\n')
    expect(lines).toHaveLength(1)
    expect(JSON.parse(lines[0]!)).toMatchObject({
      level: 'error',
      origin,
      error: { name: 'RangeError', message: 'too far', stack: expect.stringContaining('RangeError') },
    })
  })
})
