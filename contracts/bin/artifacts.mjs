// Writes contracts/artifacts/<Name>.json from what forge built, so that users deploy without compiling.
// `node contracts/bin/artifacts.mjs` builds and writes; `--check` exits 1 when an artifact is out of step with the sources.
import { readFileSync, writeFileSync } from 'node:fs'
import { contractsDir, forge } from './forge.mjs'

const NAMES = ['SequencerRegistry', 'SequencerStaking', 'MessageQueue', 'Rollup', 'FeeVault', 'L2ToL1Outbox']

const { status } = forge(['build', '--skip', 'test', '--quiet'])
if (status !== 0) process.exit(status)

for (const contractName of NAMES) {
  const { abi, bytecode, deployedBytecode } = JSON.parse(
    readFileSync(`${contractsDir}/out/${contractName}.sol/${contractName}.json`, 'utf8'),
  )
  const artifact = { contractName, abi, bytecode: bytecode.object, deployedBytecode: deployedBytecode.object }
  const text = `${JSON.stringify(artifact, null, 1)}\n`
  const path = `${contractsDir}/artifacts/${contractName}.json`
  if (!process.argv.includes('--check')) {
    writeFileSync(path, text)
  } else if (readIfPresent(path) !== text) {
    console.error(`${path} is out of step with the sources: run node contracts/bin/artifacts.mjs`)
    process.exitCode = 1
  }
}

function readIfPresent(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT') return null
    throw error
  }
}
