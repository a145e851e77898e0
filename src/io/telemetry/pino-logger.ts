import { mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { pino } from 'pino'
import { bytesToHex } from '../../base/primitives/bytes.js'
import { MorphismError } from '../../base/primitives/morphism-error.js'
import { LineWriter } from './line-writer.js'
import type { Logger } from './logger.js'
import { TelemetryError } from './telemetry-error.js'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

type Pino = ReturnType<typeof pino>

const maxDepth = 4
const maxBytesShown = 64

/** Logger that writes JSON lines through pino: buffered, off the hot path, flushed at the latest at exit. */
export class PinoLogger implements Logger {
  private constructor(
    private readonly pino: Pino,
    private readonly lines: LineWriter,
    private readonly module: string,
  ) {}

  /** Logs to the file, or to standard output without one. @throws TelemetryError LOG_UNWRITABLE */
  static create({ level, file }: { level: LogLevel; file?: string }): PinoLogger {
    const fd = file === undefined ? 1 : openLogFile(file)
    const lines = new LineWriter(fd)
    process.once('exit', () => lines.flushSync())
    const options = {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label: string) => ({ level: label }) },
    }
    return new PinoLogger(pino(options, lines), lines, '')
  }

  debug(message: string, fields?: Readonly<Record<string, unknown>>): void {
    if (this.pino.isLevelEnabled('debug')) this.pino.debug(present(fields), message)
  }

  info(message: string, fields?: Readonly<Record<string, unknown>>): void {
    if (this.pino.isLevelEnabled('info')) this.pino.info(present(fields), message)
  }

  warn(message: string, fields?: Readonly<Record<string, unknown>>): void {
    if (this.pino.isLevelEnabled('warn')) this.pino.warn(present(fields), message)
  }

  error(message: string, fields?: Readonly<Record<string, unknown>>): void {
    if (this.pino.isLevelEnabled('error')) this.pino.error(present(fields), message)
  }

  child(module: string): Logger {
    const path = this.module ? `${this.module}.${module}` : module
    return new PinoLogger(this.pino.child({ module: path }), this.lines, path)
  }

  /** Writes what is buffered. */
  flush(): void {
    this.lines.flushSync()
  }
}

function openLogFile(file: string): number {
  try {
    mkdirSync(dirname(file), { recursive: true })
    return openSync(file, 'a', 0o640)
  } catch (error) {
    throw new TelemetryError('LOG_UNWRITABLE', `the log ${file} cannot be written`, { file }, { cause: error })
  }
}

function present(fields: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return presentFields(fields, 0)
}

function presentFields(fields: object, depth: number): Record<string, unknown> {
  const shown: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields))
    shown[name] = isSecret(name) ? '[redacted]' : presentValue(value, depth + 1)
  return shown
}

/** A second line of defence: secrets are not to be logged at all. */
function isSecret(name: string): boolean {
  return /key|secret|password|token|seed/i.test(name) && !/public/i.test(name)
}

function presentValue(value: unknown, depth: number): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) {
    const shown = bytesToHex(value.subarray(0, maxBytesShown))
    return value.length > maxBytesShown ? `${shown}… (${value.length} bytes)` : shown
  }
  if (depth > maxDepth) return '[deep]'
  if (value instanceof Error) return presentError(value, depth)
  if (Array.isArray(value)) return value.map(item => presentValue(item, depth + 1))
  return presentFields(value, depth)
}

function presentError(error: Error, depth: number): Record<string, unknown> {
  const { name, message, stack, cause } = error
  const own = error instanceof MorphismError ? { code: error.code, data: presentValue(error.data, depth + 1) } : {}
  return { name, message, ...own, stack, ...(cause === undefined ? {} : { cause: presentValue(cause, depth + 1) }) }
}
