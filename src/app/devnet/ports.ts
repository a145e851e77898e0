import net from 'node:net'
import { AppError } from '../app-error.js'

/** A port of 127.0.0.1 that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo
      server.close(() => resolve(port))
    })
  })
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
