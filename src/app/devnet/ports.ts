import { randomInt } from 'node:crypto'
import net from 'node:net'
import { AppError } from '../app-error.js'

/** Below the ports that systems give to outgoing connections: those would be taken while a node is down. */
const lowestPort = 12_000
const portCount = 20_000

/** A port of 127.0.0.1 that was free a moment ago. @throws AppError NO_PORTS */
export function freePort(): Promise<number> {
  return freePortRun(1)
}

/** Checks that nobody listens on the port. @throws AppError PORT_BUSY with the flag that moves it */
export function requireFreePort({ port, flag }: { port: number; flag: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = net.createServer()
    server.once('error', cause =>
      reject(
        new AppError(
          'PORT_BUSY',
          `Port ${port} of 127.0.0.1 is in use by another process: stop it, or choose another port with ${flag}.`,
          { port },
          { cause },
        ),
      ),
    )
    server.listen(port, '127.0.0.1', () => server.close(() => resolve()))
  })
}

/** The first of so many ports in a row that were free a moment ago. @throws AppError NO_PORTS */
export async function freePortRun(length: number): Promise<number> {
  for (let tries = 0; tries < 50; tries++) {
    const first = randomInt(lowestPort, lowestPort + portCount - length)
    const free = Array.from({ length }, (_, i) => requireFreePort({ port: first + i, flag: '' }))
    if ((await Promise.allSettled(free)).every(({ status }) => status === 'fulfilled')) return first
  }
  throw new AppError('NO_PORTS', `no ${length} free ports in a row were found`)
}
