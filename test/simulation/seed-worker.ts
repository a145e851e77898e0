import { register } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'
import type { ModuleHooks } from './module-hooks.js'
import type { SimulationSpec } from './run-simulation.js'

/** What a worker of the seed pool is started with. */
export interface SeedWorkerData {
  readonly realSignatures: boolean
}

const data: ModuleHooks = workerData as SeedWorkerData
// Before anything of the network is loaded: the hooks decide which modules it gets.
register('./module-hooks.js', { parentURL: import.meta.url, data })
const { runSimulation } = await import('./run-simulation.js')

parentPort!.on('message', async (spec: SimulationSpec) => {
  parentPort!.postMessage(await runSimulation(spec))
})
