import { register } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'
import type { SimulationSpec } from './run-simulation.js'

/** What a worker of the seed pool is started with. */
export interface SeedWorkerData {
  readonly realSignatures: boolean
}

const { realSignatures } = workerData as SeedWorkerData
// Before anything of the network is loaded: the hooks decide which BLS library it gets.
if (!realSignatures) register('./crypto/twin-hooks.js', import.meta.url)
const { runSimulation } = await import('./run-simulation.js')

parentPort!.on('message', async (spec: SimulationSpec) => {
  parentPort!.postMessage(await runSimulation(spec))
})
