import { EventEmitter } from 'node:events'
import type { Server } from 'node:net'
import { expect, it } from 'vitest'
import { limitConnections } from './connection-limit.js'

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
  limitConnections(server as Server, { inAll: 100, ofHost: 2 })
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
  expect(['2001:db8::1', '2001:db8:0:1::1', '2001:db8:0:2::1', '2001:db8:1::1'].map(isTaken)).toEqual([
    true,
    true,
    false,
    true,
  ])
  expect(['127.0.0.1', '127.0.0.1', '127.0.0.1', '::1', '::1', '::1'].every(isTaken)).toBe(true)
})

it('when all have too many, the oldest of the host with most gives way, and nobody to who would have as many', () => {
  const server = new EventEmitter()
  limitConnections(server as Server, { inAll: 5, ofHost: 3 })
  const connect = (address: string) => {
    const socket = new FakeSocket(address)
    server.emit('connection', socket)
    return socket
  }
  const all = ['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.2', '127.0.0.1'].map(connect)
  const open = () => all.map(({ isOpen }) => isOpen)
  expect([connect('192.0.2.3').isOpen, open()]).toEqual([true, [false, true, true, true, true]])
  expect([connect('192.0.2.2').isOpen, connect('192.0.2.3').isOpen]).toEqual([false, false])
  expect([connect('::1').isOpen, open()]).toEqual([true, [false, false, true, true, true]])
  expect([connect('192.0.2.4').isOpen, connect('127.0.0.1').isOpen]).toEqual([false, false])
})
