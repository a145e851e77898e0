import { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect, it } from 'vitest'
import { HeldBytes } from '../../base/primitives/held-bytes.js'
import { silentLogger } from '../../io/telemetry/logger.js'
import { HttpExchange } from './http-exchange.js'
import type { Caller } from './rpc-method.js'

/** A response over a line that takes one piece and then is full until it drains. */
class FullResponse extends EventEmitter {
  text = ''
  writeHead() {}

  write(piece: Buffer): boolean {
    this.text += piece.toString()
    return false
  }

  end(): void {
    this.emit('close')
  }
}

it('is stuck when nothing of its answer is taken between two looks, not when it is slow', async () => {
  const response = new FullResponse()
  const sending = new Set<HttpExchange>()
  const exchange = new HttpExchange(
    { socket: { destroyed: false } } as IncomingMessage,
    response as unknown as ServerResponse,
    { held: new HeldBytes<Caller>(Number.POSITIVE_INFINITY, () => {}), sending, logger: silentLogger },
  )
  const drain = async () => {
    response.emit('drain')
    await new Promise(resolve => setImmediate(resolve))
  }
  const answer = '0123456789'.repeat(50_000)
  exchange.send(200, {}, answer)
  expect([exchange.isStuck(), exchange.isStuck()]).toEqual([false, true])
  while (sending.has(exchange)) {
    await drain()
    expect(sending.has(exchange) && exchange.isStuck()).toBe(false)
  }
  expect(response.text).toBe(answer)
})
