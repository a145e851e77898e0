import { randomBytes, randomInt } from 'node:crypto'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

// Keeps so many connections of garbage open to 127.0.0.1, spread over the ports, until it is stopped; each sends one of
// several openings, holds, and comes again. Usage: node build/test/e2e/garbage-connections.js <connections> <port> [port …]
// Every second it writes a line of JSON: connections opened so far, connections open now, CPU seconds of its own.

const [connections, ...ports] = process.argv.slice(2).map(Number)
const header = Buffer.from('\x13/multistream/1.0.0\n')
const noise = Buffer.from('\x07/noise\n')
const openings: readonly (() => Uint8Array | null)[] = [
  () => randomBytes(1 + randomInt(4_096)),
  () => null,
  () => header,
  () => Buffer.concat([header, noise]),
  () => Buffer.concat([header, noise, randomBytes(2_000)]),
  () => Buffer.concat([header, noise, Buffer.from([0, 32]), randomBytes(32)]),
  () => Buffer.alloc(256 << 10, 0xff),
  () => Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
]
/** Longest that a connection is held, and pause before it comes again. */
const holdMs = 5_000
const pauseMs = 500

let opened = 0
let open = 0

async function connection(index: number): Promise<never> {
  await sleep((index * 1_000) / connections!)
  for (let turn = index; ; turn++) {
    await new Promise<void>(resolve => {
      const socket = net.connect(ports[turn % ports.length]!, '127.0.0.1')
      const timer = setTimeout(() => socket.destroy(), randomInt(holdMs))
      socket.resume()
      socket.on('error', () => {})
      socket.once('connect', () => {
        opened++
        open++
        const bytes = openings[turn % openings.length]!()
        if (bytes) socket.write(bytes)
        socket.once('close', () => open--)
      })
      socket.once('close', () => {
        clearTimeout(timer)
        resolve()
      })
    })
    await sleep(randomInt(2 * pauseMs))
  }
}

setInterval(() => {
  const { user, system } = process.cpuUsage()
  process.stdout.write(`${JSON.stringify({ opened, open, cpuSec: (user + system) / 1e6 })}\n`)
}, 1_000)
await Promise.all(Array.from({ length: connections! }, (_, index) => connection(index)))
