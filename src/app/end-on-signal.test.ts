import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'

let child: ChildProcess
afterEach(() => child.kill('SIGKILL'))

/** A process that takes so long to stop; says `up`, then `stopping` once it was told to. */
async function start(stopMs: number) {
  const module = new URL('end-on-signal.js', import.meta.url)
  const script = `
    import { endOnSignal } from '${module}'
    setInterval(() => {}, 1_000)
    endOnSignal(() => {
      console.log('stopping')
      return new Promise(resolve => setTimeout(resolve, ${stopMs}))
    })
    console.log('up')`
  child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout!.on('data', chunk => {
    output += chunk
  })
  await expect.poll(() => output).toContain('up')
  return { output: () => output, ended: once(child, 'exit') }
}

describe.each(['SIGINT', 'SIGTERM'] as const)('%s', signal => {
  it('stops the process in order', async () => {
    const { ended, output } = await start(300)
    child.kill(signal)
    expect(await ended).toEqual([0, null])
    expect(output()).toBe('up\nstopping\n')
  })

  it('ends it at once when it comes a second time, but not with the first', async () => {
    const { ended, output } = await start(60_000)
    child.kill(signal)
    await expect.poll(output).toContain('stopping')
    // As npx passes on what its terminal sent to both.
    child.kill(signal)
    expect(await Promise.race([ended, sleep(1_100)])).toBeUndefined()
    child.kill('SIGTERM')
    expect(await Promise.race([ended, sleep(5_000)])).toEqual([1, null])
    expect(output()).toBe('up\nstopping\n')
  })
})
