import net from 'node:net'
import { describe, expect, it } from 'vitest'
import { freePortRun, requireFreePort } from './ports.js'

describe('freePortRun', () => {
  it('keeps clear of ports that are chosen and not listened on yet', async () => {
    const chosen = Array.from({ length: 6_554 }, (_, i) => i * 10)
    for (let i = 0; i < 20; i++) {
      const first = await freePortRun(5, chosen)
      expect(first % 10, `${first}`).toBeGreaterThan(0)
      expect((first + 4) % 10, `${first}`).toBeGreaterThan(first % 10)
    }
  })

  it('refuses when every port is chosen', async () => {
    const every = Array.from({ length: 65_536 }, (_, port) => port)
    await expect(freePortRun(1, every)).rejects.toMatchObject({ code: 'NO_PORTS' })
  })
})

it('names the flag that moves a busy port', async () => {
  const holder = net.createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => holder.once('listening', resolve))
  const { port } = holder.address() as net.AddressInfo
  await expect(requireFreePort({ port, flag: '--rpc-port' })).rejects.toThrow(`Port ${port}`)
  await new Promise(resolve => holder.close(resolve))
  await expect(requireFreePort({ port, flag: '--rpc-port' })).resolves.toBeUndefined()
})
