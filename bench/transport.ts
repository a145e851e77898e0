/**
 * CPU that one consensus message costs its sender and its receiver: `node build/bench/transport.js [peers]`. One node sends a
 * message to each of its peers at once and pauses, as a node does with its vote; then each of them sends one, as the others'
 * votes come. The peers are in a process of their own.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Libp2pNetwork } from '../src/io/network/libp2p-network.js'

const messages = 6_000
const warmUp = 3_000
const pauseMs = 2
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

/** Each node sends a message to each of its peers, again and again, until they were `count` in all. */
async function sendMany(nodes: readonly Libp2pNetwork[], count: number): Promise<void> {
  const message = new Uint8Array(messageBytes)
  for (let sent = 0; sent < count; ) {
    for (const node of nodes) for (const { id } of node.peers()) if (sent++ < count) node.send(id, 'consensus', message)
    await pause(pauseMs)
  }
}

/** Nodes that answer the measured one: all that it sends them first, and then as many messages. */
async function runPeers(count: number): Promise<void> {
  const nodes = await Promise.all(Array.from({ length: count }, (_, i) => open(i + 2, [])))
  let received = 0
  for (const node of nodes) {
    node.onMessage('consensus', () => {
      if (++received === warmUp + messages) void sendMany(nodes, warmUp + messages)
    })
    await node.start()
  }
  process.send!(nodes.map(node => node.addresses()[0]!))
}

async function measure(count: number): Promise<void> {
  const child = fork(fileURLToPath(import.meta.url), ['peers', `${count}`])
  const [addresses] = (await once(child, 'message')) as [string[]]
  const node = await open(1, addresses)
  await node.start()
  while (node.peers().length < count) await pause(50)
  await sendMany([node], warmUp)
  const sendBegan = cpuMs()
  let receiveBegan = 0
  let received = 0
  const done = new Promise<number>(resolve =>
    node.onMessage('consensus', () => {
      if (++received === warmUp) receiveBegan = cpuMs()
      if (received === warmUp + messages) resolve((cpuMs() - receiveBegan) / messages)
    }),
  )
  await sendMany([node], messages)
  const sendMs = (cpuMs() - sendBegan) / messages
  const receiveMs = await done
  console.log(
    `${count} peers: send ${sendMs.toFixed(4)} ms, receive ${receiveMs.toFixed(4)} ms of CPU a message of ${messageBytes} bytes`,
  )
  child.kill()
  await node.close()
}

await (process.argv[2] === 'peers' ? runPeers(Number(process.argv[3])) : measure(Number(process.argv[2] ?? 1)))
