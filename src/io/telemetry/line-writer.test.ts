import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LineWriter } from './line-writer.js'

const moduleUrl = JSON.stringify(new URL('./line-writer.js', import.meta.url).href)
let directory: string
let pipe: string
/** Both ends of the pipe: it has a reader, who reads only when a test does. */
let held: number
let child: ChildProcess | null
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lines-'))
  pipe = join(directory, 'pipe')
  spawnSync('mkfifo', [pipe])
  held = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK)
  child = null
})
afterEach(() => {
  child?.kill('SIGKILL')
  closeSync(held)
  rmSync(directory, { recursive: true })
})

/** Everything that is in the pipe now. */
function drain(): string {
  const chunks: Buffer[] = []
  const chunk = Buffer.alloc(1 << 16)
  for (;;) {
    try {
      chunks.push(Buffer.from(chunk.subarray(0, readSync(held, chunk))))
    } catch {
      return Buffer.concat(chunks).toString()
    }
  }
}

/** A process that runs the statements with `lines`, a writer to its standard output. */
function start(statements: string, stdout: number | 'pipe'): ChildProcess {
  const script = `import(${moduleUrl}).then(({ LineWriter }) => {
    const lines = new LineWriter(1)
    process.once('exit', () => lines.flushSync())
    ${statements}
  })`
  child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', stdout, 'inherit'] })
  return child
}

describe('LineWriter', () => {
  it.each([
    ['exits', 'process.exit(0)'],
    ['has nothing left to do', ''],
  ])('does not hold a process that %s while nobody reads its pipe', async (_, end) => {
    const writer = openSync(pipe, 'w')
    const ended = once(
      start(`for (let i = 0; i < 200; i++) lines.write('x'.repeat(999) + '\\n'); ${end}`, writer),
      'exit',
    )
    closeSync(writer)
    expect(await ended).toEqual([0, null])
    expect(drain().length).toBeGreaterThan(0)
  })

  it('does not hold a process while nobody reads its socket', async () => {
    const { stdout } = start(
      `for (let i = 0; i < 1_000; i++) lines.write('x'.repeat(999) + '\\n'); process.exit(0)`,
      'pipe',
    )
    stdout!.pause()
    expect(await once(child!, 'exit')).toEqual([0, null])
  })

  it('writes at the end first the rest of what a slow reader kept waiting', () => {
    // Left open: the socket that adopted it closes it with the process.
    const lines = new LineWriter(openSync(pipe, 'w'))
    const long = `${'x'.repeat(100_000)}\n`
    lines.write(long)
    lines.write('later\n')
    const read = drain()
    expect(read.length).toBeLessThan(long.length)
    lines.flushSync()
    expect(read + drain()).toBe(`${long}later\n`)
  })

  it('loses no line of a file when the process exits before the thread pool has written it', async () => {
    const file = join(directory, 'log')
    const fd = openSync(file, 'a')
    const written = `lines.write('x'.repeat(5_000) + '\\n'); lines.write('last\\n'); process.exit(0)`
    const ended = once(start(written, fd), 'exit')
    closeSync(fd)
    await ended
    expect(readFileSync(file, 'utf8').split('\n').sort()).toEqual(['', 'last', 'x'.repeat(5_000)])
  })
})
