/**
 * CPU that one consensus message costs its sender and its receiver, each in a process of its own: `node build/bench/transport.js`.
 * Messages go one by one with a pause between, as votes do.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Libp2pNetwork } from '../src/io/network/libp2p-network.js'

const messages = 6_000
const warmUp = 3_000
/** Bytes of a vote with its extension. */
const messageBytes = 320
const network = {
  l2ChainId: 7,
  genesisHash: `0x${'01'.repeat(32)}`,
  domain: { l1ChainId: 1, rollup: `0x${'22'.repeat(20)}` },
} as const

const open = (key: number, peers: string[]) =>
  Libp2pNetwork.create({
    config: { listen: { host: '127.0.0.1', port: 0 }, peers, network, role: 'full' },
    nodeKey: new Uint8Array(32).fill(key),
  })

const cpuMs = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

async function receive(): Promise<void> {
  const receiver = await open(2, [])
  let received = 0
  let began = 0
  receiver.onMessage('consensus', () => {
    if (++received === warmUp) {
      began = cpuMs()
      process.send!('warm')
    }
    if (received === warmUp + messages) process.send!((cpuMs() - began) / messages)
  })
  await receiver.start()
  process.send!(receiver.addresses()[0]!)
}

async function send(): Promise<void> {
  const child = fork(fileURLToPath(import.meta.url), ['receive'])
  const [address] = (await once(child, 'message')) as [string]
  const sender = await open(1, [address])
  const connected = new Promise<string>(resolve => sender.onConnect(peer => resolve(peer.id)))
  await sender.start()
  const peer = await connected
  const message = new Uint8Array(messageBytes)
  const sendMany = async (count: number) => {
    for (let i = 0; i < count; i++) {
      sender.send(peer, 'consensus', message)
      await pause(1)
    }
  }
  const warm = once(child, 'message')
  await sendMany(warmUp)
  await warm
  const began = cpuMs()
  const done = once(child, 'message')
  await sendMany(messages)
  const sendMs = (cpuMs() - began) / messages
  const [receiveMs] = (await done) as [number]
  console.log(
    `send ${sendMs.toFixed(4)} ms, receive ${receiveMs.toFixed(4)} ms of CPU a message of ${messageBytes} bytes`,
  )
  child.kill()
  await sender.close()
}

await (process.argv[2] === 'receive' ? receive() : send())
