import { readdirSync, readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'

/** Niceness of each thread of this process, by thread id (proc(5), field 19 of stat). */
function nicenessOfThreads(): ReadonlyMap<string, number> {
  return new Map(
    readdirSync('/proc/self/task').map(thread => {
      const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8')
      return [thread, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16])]
    }),
  )
}

it.runIf(process.platform === 'linux')('lowers the priority of the calling thread alone', async () => {
  const before = nicenessOfThreads()
  const script = `
    const { lowerThreadPriority } = await import(${JSON.stringify(new URL('./thread-priority.js', import.meta.url).href)})
    const { parentPort } = await import('node:worker_threads')
    lowerThreadPriority(10)
    parentPort.postMessage('lowered')
    parentPort.once('message', () => {})`
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`))
  try {
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
    const raised = [...nicenessOfThreads()].filter(([thread, niceness]) => niceness > (before.get(thread) ?? 0))
    expect(raised.map(([, niceness]) => niceness)).toEqual([10])
  } finally {
    await worker.terminate()
  }
})
