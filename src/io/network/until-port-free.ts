import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const lookMs = 50

/**
 * Waits until nobody listens on the port, but no longer than so many milliseconds: a process that was killed a moment ago
 * holds its ports until the system has taken it down. Who listens then learns by itself whether it may.
 */
export async function untilPortFree({ host, port }: { host: string; port: number }, limitMs = 5_000): Promise<void> {
  const endMs = performance.now() + limitMs
  while (port !== 0 && (await isInUse({ host, port })) && performance.now() < endMs) await sleep(lookMs)
}

function isInUse({ host, port }: { host: string; port: number }): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EADDRINUSE'))
    server.listen(port, host, () => server.close(() => resolve(false)))
  })
}
