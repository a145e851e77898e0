import { EventEmitter } from 'node:events'
import type { Server } from 'node:net'
import { expect, it } from 'vitest'
import { limitConnectionsPerHost } from './connection-limit.js'

class FakeSocket extends EventEmitter {
  isOpen = true
  constructor(readonly remoteAddress: string) {
    super()
  }

  destroy(): void {
    this.isOpen = false
    this.emit('close')
  }
}

it('a host has its share of the connections, loopback any number', () => {
  const server = new EventEmitter()
  limitConnectionsPerHost(server as Server, 2)
  const connect = (address: string) => {
    const socket = new FakeSocket(address)
    server.emit('connection', socket)
    return socket
  }
  const isTaken = (address: string) => connect(address).isOpen
  const first = connect('192.0.2.1')
  expect([isTaken('::ffff:192.0.2.1'), isTaken('192.0.2.1'), isTaken('192.0.2.2')]).toEqual([true, false, true])
  first.destroy()
  expect([isTaken('192.0.2.1'), isTaken('192.0.2.1')]).toEqual([true, false])
  expect(['2001:db8::1', '2001:db8::2', '2001:db8::3', '2001:db8:0:1::1'].map(isTaken)).toEqual([
    true,
    true,
    false,
    true,
  ])
  expect(['127.0.0.1', '127.0.0.1', '127.0.0.1', '::1', '::1', '::1'].every(isTaken)).toBe(true)
})
