import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, it } from 'vitest'
import { untilPortFree } from './port-probe.js'

const host = '127.0.0.1'
async function taken() {
  const server = createServer().listen(0, host)
  await once(server, 'listening')
  return { server, port: (server.address() as AddressInfo).port }
}

it('a port that is given up soon is waited for', async () => {
  const { server, port } = await taken()
  let isFree = false
  const waiting = untilPortFree({ host, port }).then(() => {
    isFree = true
  })
  await new Promise(resolve => setTimeout(resolve, 150))
  expect(isFree).toBe(false)
  server.close()
  await waiting
  const next = createServer().listen(port, host)
  await once(next, 'listening')
  next.close()
})

it('one that is kept, and one that nobody may have, are left to who listens', async () => {
  const { server, port } = await taken()
  await untilPortFree({ host, port }, 100)
  server.close()
  await untilPortFree({ host: '203.0.113.1', port })
  await untilPortFree({ host, port: 0 })
})
