import { randomInt } from 'node:crypto'
import { listenError } from '../../io/network/port-probe.js'
import { AppError } from '../app-error.js'

/** Below the ports that systems give to outgoing connections: those would be taken while a node is down. */
const lowestPort = 12_000
const portCount = 20_000

/** Checks that nobody listens on the port. @throws AppError PORT_BUSY with the flag that moves it */
export async function requireFreePort({ port, flag }: { port: number; flag: string }): Promise<void> {
  const cause = await listenError({ host: '127.0.0.1', port })
  if (cause === null) return
  throw new AppError(
    'PORT_BUSY',
    `Port ${port} of 127.0.0.1 is in use by another process: stop it, or choose another port with ${flag}.`,
    { port },
    { cause },
  )
}

/**
 * The first of so many ports of 127.0.0.1 in a row that were free a moment ago, none of them among those chosen before
 * for somebody who does not listen yet. Who needs several takes one run: two chosen one by one could be the same.
 * @throws AppError NO_PORTS
 */
export async function freePortRun(length: number, chosen: readonly number[] = []): Promise<number> {
  for (let tries = 0; tries < 50; tries++) {
    const first = randomInt(lowestPort, lowestPort + portCount - length)
    if (chosen.some(port => port >= first && port < first + length)) continue
    const free = Array.from({ length }, (_, i) => requireFreePort({ port: first + i, flag: '' }))
    if ((await Promise.allSettled(free)).every(({ status }) => status === 'fulfilled')) return first
  }
  throw new AppError('NO_PORTS', `no ${length} free ports in a row were found`)
}
