import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DecodeError } from '../../base/encoding/decode-error.js'
import { type LogLevel, PinoLogger } from './pino-logger.js'

let directory: string
let file: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pino-'))
  file = join(directory, 'logs', 'node.log')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const read = () =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Record<string, unknown>)

/** The lines that a logger of this level leaves in its file. */
function logged(level: LogLevel, write: (logger: PinoLogger) => void): Record<string, unknown>[] {
  const logger = PinoLogger.create({ level, file })
  write(logger)
  logger.flush()
  return read()
}

describe('PinoLogger', () => {
  it('writes level, time, message, module path and fields as one JSON line', () => {
    const lines = logged('info', logger => {
      logger.info('started', { height: 5, stake: 10n ** 20n, hash: Uint8Array.of(1, 255) })
      logger.child('consensus').child('core').warn('slow')
    })
    expect(lines[0]).toMatchObject({
      level: 'info',
      msg: 'started',
      height: 5,
      stake: '100000000000000000000',
      hash: '0x01ff',
    })
    expect(new Date(lines[0]!.time as string).getTime()).toBeGreaterThan(0)
    expect(lines[1]).toMatchObject({ level: 'warn', msg: 'slow', module: 'consensus.core' })
  })

  it('leaves out what is below its level', () => {
    const lines = logged('warn', logger => {
      logger.debug('a')
      logger.info('b')
      logger.warn('c')
      logger.child('x').error('d')
    })
    expect(lines.map(line => line.msg)).toEqual(['c', 'd'])
  })

  it('hides whatever is named like a secret, at any depth, and shows public keys', () => {
    const [line] = logged('info', logger =>
      logger.info('x', {
        privateKey: '0x12',
        publicKey: '0x34',
        authToken: 't',
        nested: { PASSWORD: 'p', seed: '0x56', list: [{ clientSecret: 's', fine: 1 }] },
      }),
    )
    expect(line).toMatchObject({
      privateKey: '[redacted]',
      publicKey: '0x34',
      authToken: '[redacted]',
      nested: { PASSWORD: '[redacted]', seed: '[redacted]', list: [{ clientSecret: '[redacted]', fine: 1 }] },
    })
  })

  it('writes errors with code, data and cause, and survives cycles', () => {
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    const error = new DecodeError('bad', { at: 3 })
    error.cause = new RangeError('inner')
    const [line] = logged('info', logger => logger.error('failed', { error, cycle }))
    expect(line!.error).toMatchObject({
      name: 'DecodeError',
      code: 'DECODE',
      data: { at: 3 },
      cause: { message: 'inner' },
    })
    expect(JSON.stringify(line!.cycle)).toContain('[deep]')
  })

  it('says that its file cannot be written', () => {
    expect(() => PinoLogger.create({ level: 'info', file: directory })).toThrow(
      expect.objectContaining({ name: 'TelemetryError', code: 'LOG_UNWRITABLE' }),
    )
  })

  it('ends although the reader of its lines is gone', async () => {
    const script = `import(${JSON.stringify(new URL('./pino-logger.js', import.meta.url).href)}).then(({ PinoLogger }) => {
      const logger = PinoLogger.create({ level: 'info' })
      logger.info('first')
      process.stdin.once('data', () => {
        logger.info('to nobody')
        process.exit(0)
      })
    })`
    const child = spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    child.stdout.destroy()
    child.stdin.write('go')
    expect(await once(child, 'exit')).toEqual([0, null])
  })

  it('loses no line when the process exits at once', () => {
    const module = JSON.stringify(new URL('./pino-logger.js', import.meta.url).href)
    const script = `import(${module}).then(({ PinoLogger }) => {
      const logger = PinoLogger.create({ level: 'info' })
      for (let i = 0; i < 100; i++) logger.info('line', { i })
      process.exit(0)
    })`
    const { stdout } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' })
    expect(stdout.trim().split('\n')).toHaveLength(100)
  })
})
