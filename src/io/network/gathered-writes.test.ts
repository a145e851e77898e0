import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { gatherWrites } from './gathered-writes.js'

describe('gatherWrites', () => {
  let [here, there] = [{} as Socket, {} as Socket]
  let close = () => {}

  beforeEach(async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const accepted = once(server, 'connection')
    here = connect((server.address() as AddressInfo).port, '127.0.0.1')
    ;[there] = (await accepted) as [Socket]
    close = () => {
      here.destroy()
      there.destroy()
      server.close()
    }
  })
  afterEach(() => close())

  /** As js-libp2p has it: a chunk is a list of pieces. */
  function connectionOf(socket: Socket) {
    const connection = {
      socket,
      sendData: (_: { byteLength: number; subarray(): Uint8Array }) => ({ canSendMore: true }),
    }
    gatherWrites(connection)
    return connection
  }

  it('sends what one turn says in one piece and in order', async () => {
    const { sendData } = connectionOf(here)
    for (let turn = 0; turn < 3; turn++) {
      const received = once(there, 'data')
      for (let i = 0; i < 20; i++) sendData(Uint8Array.of(turn, i))
      const [data] = (await received) as [Buffer]
      expect([...data]).toEqual(Array.from({ length: 20 }, (_, i) => [turn, i]).flat())
    }
  })

  it('says when the socket is full, and sends all the same', async () => {
    const { sendData } = connectionOf(here)
    const drained = once(here, 'drain')
    let sent = 0
    while (sendData(new Uint8Array(1 << 20)).canSendMore) sent++
    let received = 0
    there.on('data', data => {
      received += data.length
    })
    await drained
    while (received < (sent + 1) << 20) await once(there, 'data')
    expect(received).toBe((sent + 1) << 20)
  })
})
