import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const lookMs = 50

/**
 * Waits until nobody listens on the port, but no longer than so many milliseconds: a process that was killed a moment ago
 * holds its ports until the system has taken it down. Who listens then learns by itself whether it may.
 */
export async function untilPortFree({ host, port }: { host: string; port: number }, limitMs = 5_000): Promise<void> {
  const endMs = performance.now() + limitMs
  const isInUse = async () => (await listenError({ host, port }))?.code === 'EADDRINUSE'
  while (port !== 0 && (await isInUse()) && performance.now() < endMs) await sleep(lookMs)
}

/** Why nobody could listen on the port now, or null. */
export function listenError({ host, port }: { host: string; port: number }): Promise<NodeJS.ErrnoException | null> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', resolve)
    server.listen(port, host, () => server.close(() => resolve(null)))
  })
}
