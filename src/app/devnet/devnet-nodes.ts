import path from 'node:path'
import { loadOrCreateNodeIdentity } from '../node/node-identity.js'
import { nodeFiles } from '../node-files.js'
import { freePortRun } from './ports.js'

/** A node of the devnet: where it lives and how it is started. */
export interface DevnetNode {
  readonly name: string
  readonly role: 'sequencer' | 'full'
  readonly rpcUrl: string
  readonly wsUrl: string
  readonly metricsUrl: string
  readonly dataDir: string
  readonly logFile: string
  /** Starts it, now and after a crash. */
  readonly command: readonly string[]
}

/** Directory of a node's data. */
export const nodeDir = (dataDir: string, name: string): string => path.join(dataDir, 'nodes', name)
/** Names of the sequencers, in the order of their set. */
export const sequencerNames = (count: number): string[] => Array.from({ length: count }, (_, i) => `sequencer-${i}`)

/** Plans ports and commands: the first full node on rpcPort, the sequencers after it, then the other full nodes. */
export async function planNodes({
  sequencers,
  fullNodes,
  rpcPort,
  dataDir,
  networkFile,
  l1RpcUrl,
  tracesApplication,
  bin,
}: {
  sequencers: number
  fullNodes: number
  rpcPort: number
  dataDir: string
  networkFile: string
  l1RpcUrl: string
  tracesApplication: boolean
  bin: string
}): Promise<DevnetNode[]> {
  const names = [
    ...sequencerNames(sequencers).map((name, i) => ({ name, role: 'sequencer' as const, port: rpcPort + 1 + i })),
    ...Array.from({ length: fullNodes }, (_, i) => ({
      name: `full-${i}`,
      role: 'full' as const,
      port: i === 0 ? rpcPort : rpcPort + sequencers + i,
    })),
  ]
  const firstPort = await freePortRun(
    2 * names.length,
    names.map(({ port }) => port),
  )
  const planned = []
  for (const [i, entry] of names.entries()) {
    const dir = nodeDir(dataDir, entry.name)
    const { peerId } = await loadOrCreateNodeIdentity(path.join(dir, nodeFiles.nodeKey))
    planned.push({ ...entry, dir, peerId, p2pPort: firstPort + 2 * i, metricsPort: firstPort + 2 * i + 1 })
  }
  const sequencerPeers = planned
    .filter(({ role }) => role === 'sequencer')
    .map(({ name, peerId, p2pPort }) => ({ name, multiaddr: `/ip4/127.0.0.1/tcp/${p2pPort}/p2p/${peerId}` }))
  return planned.map(({ name, role, port, dir, p2pPort, metricsPort }) => {
    const flags: string[] = ['--network', networkFile, '--role', role, '--data-dir', dir, '--l1-rpc', l1RpcUrl]
    flags.push('--rpc-port', `${port}`, '--metrics-port', `${metricsPort}`, '--p2p-port', `${p2pPort}`)
    const peers = sequencerPeers.filter(peer => peer.name !== name).map(peer => peer.multiaddr)
    if (peers.length > 0) flags.push('--peer', peers.join(','))
    if (role === 'sequencer') {
      flags.push(
        '--keystore',
        path.join(dir, nodeFiles.keystore),
        '--password-file',
        path.join(dir, nodeFiles.password),
      )
      flags.push('--submitter-key', path.join(dir, nodeFiles.submitterKey))
      if (tracesApplication) flags.push('--trace-application')
    }
    return {
      name,
      role,
      rpcUrl: `http://127.0.0.1:${port}`,
      wsUrl: `ws://127.0.0.1:${port}`,
      metricsUrl: `http://127.0.0.1:${metricsPort}/metrics`,
      dataDir: dir,
      logFile: path.join(dir, nodeFiles.output),
      command: [process.execPath, bin, 'node', ...flags],
    }
  })
}
