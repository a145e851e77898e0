import net from 'node:net'

// Accepts connections on free ports of 127.0.0.1 and resets each at its first bytes: what any process that listens has to
// do. Usage: node build/bench/connection-sink.js <ports>. Writes the ports, and then every second its CPU seconds, as JSON.

const ports: number[] = []
for (let i = 0; i < Number(process.argv[2]); i++) {
  const server = net.createServer(socket => {
    socket.on('error', () => {})
    socket.once('data', () => socket.resetAndDestroy())
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  ports.push((server.address() as net.AddressInfo).port)
}
console.log(JSON.stringify({ ports, cpuSec: 0 }))
setInterval(() => {
  const { user, system } = process.cpuUsage()
  console.log(JSON.stringify({ ports, cpuSec: (user + system) / 1e6 }))
}, 1_000)
