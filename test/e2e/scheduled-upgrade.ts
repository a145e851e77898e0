import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { processExists } from '../../src/app/devnet/node-process.js'
import { type DevnetNode, type RunningDevnet, until } from './running-devnet.js'

export interface UpgradeStatus {
  readonly upgrade: object | null
  readonly signing: string
  readonly protocolVersion: string
  readonly notReadyToLead: readonly string[]
}

export const upgradeStatus = (devnet: RunningDevnet, node: DevnetNode): Promise<UpgradeStatus> =>
  devnet.rpc(node, 'morphism_nodeStatus')

/** Writes these upgrades into the network file as an operator would. */
export function scheduleUpgrades(devnet: RunningDevnet, upgrades: readonly object[]): void {
  const file = path.join(devnet.dataDir, 'network.json')
  const network = JSON.parse(readFileSync(file, 'utf8'))
  writeFileSync(file, JSON.stringify({ ...network, upgrades }, null, 2))
}

/** As systemd does: stopped in order, started from its command, and awaited until its status is so. */
export async function restartInOrder(
  devnet: RunningDevnet,
  node: DevnetNode,
  isBack: (status: UpgradeStatus) => boolean,
): Promise<void> {
  process.kill(node.pid, 'SIGTERM')
  await until(`${node.name} stops`, 20_000, async () => !processExists(node.pid))
  devnet.revive(node)
  await until(`${node.name} is back`, 90_000, async () => isBack(await upgradeStatus(devnet, node)))
}
