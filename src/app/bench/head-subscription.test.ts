import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocketServer } from 'ws'
import { HeadSubscription } from './head-subscription.js'

const patient = new AbortController().signal
let server: WebSocketServer
let url: string
beforeEach(async () => {
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  server.on('connection', socket => socket.once('message', () => socket.send('{"id":1,"result":"0x1"}')))
  await once(server, 'listening')
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(() => {
  for (const socket of server.clients) socket.terminate()
  server.close()
})

const onEach = (act: (socket: { send: (text: string) => void; terminate: () => void }) => void) =>
  server.clients.forEach(act)

describe('HeadSubscription', () => {
  it('resolves at each new head', async () => {
    const heads = await HeadSubscription.open(url, patient)
    for (let i = 0; i < 2; i++) {
      const next = heads.next(patient)
      onEach(socket => socket.send('{"method":"eth_subscription"}'))
      await next
    }
    heads.close()
  })

  it('rejects, now and later, when the node goes away', async () => {
    const heads = await HeadSubscription.open(url, patient)
    const next = heads.next(patient)
    onEach(socket => socket.terminate())
    await expect(next).rejects.toMatchObject({ name: 'AppError', code: 'NODE_FAILED' })
    await expect(heads.next(patient)).rejects.toMatchObject({ code: 'NODE_FAILED' })
  })

  it('rejects when the patience ends', async () => {
    const heads = await HeadSubscription.open(url, patient)
    const patience = new AbortController()
    const next = heads.next(patience.signal)
    patience.abort()
    await expect(next).rejects.toMatchObject({ name: 'AppError', code: 'NODE_FAILED' })
    heads.close()
  })

  it('says that there is no node, or none that answers', async () => {
    server.removeAllListeners('connection')
    server.on('connection', socket => socket.terminate())
    await expect(HeadSubscription.open(url, patient)).rejects.toMatchObject({ code: 'NODE_FAILED' })
    server.close()
    await expect(HeadSubscription.open(url, patient)).rejects.toMatchObject({ name: 'AppError', code: 'NODE_FAILED' })
  })
})
