// Every check of the project, or those named as arguments: lint, contracts, unit, e2e, simulation. Prints, last, `N passed, N failed`.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const scratch = mkdtempSync(path.join(os.tmpdir(), 'morphism-test-'))
const bin = name => path.join(root, 'node_modules', '.bin', name)
const run = (command, args) =>
  spawnSync(command, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'inherit', 'inherit'] })

/** One command is one check. */
function command(name, program, args) {
  console.log(`\n== ${name}`)
  const { status } = run(program, args)
  return status === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 }
}

function vitest(name, config) {
  console.log(`\n== ${name}`)
  const report = path.join(scratch, `${config}.json`)
  const { status } = run(bin('vitest'), [
    'run',
    '--config',
    config,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ])
  try {
    const { numPassedTests, numFailedTests, numFailedTestSuites } = JSON.parse(readFileSync(report, 'utf8'))
    // A suite that fails before its tests counts as a failure of its own.
    const failed = numFailedTests || (status === 0 ? 0 : Math.max(1, numFailedTestSuites))
    return { passed: numPassedTests, failed }
  } catch {
    return { passed: 0, failed: 1 }
  }
}

function contracts() {
  console.log('\n== contracts')
  const { status, stdout, stderr } = spawnSync(process.execPath, ['contracts/bin/test.mjs'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  process.stdout.write(stdout + stderr)
  const total = [...`${stdout}${stderr}`.matchAll(/(\d+) tests passed, (\d+) failed/g)].at(-1)
  const artifacts = run(process.execPath, ['contracts/bin/artifacts.mjs', '--check'])
  const inStep = artifacts.status === 0
  const passed = Number(total?.[1] ?? 0) + (inStep ? 1 : 0)
  const failed = Number(total?.[2] ?? 0) + (inStep ? 0 : 1)
  return { passed, failed: status === 0 ? failed : Math.max(1, failed) }
}

/** Every seed is a check: fresh faults at each run. It takes what the other checks leave of the processors, and ends last. */
function startSimulation() {
  const flags = ['simulate', '--seeds', '50', '--nodes', '4,7,10', '--heights', '1000']
  const log = path.join(scratch, 'simulation.log')
  const output = openSync(log, 'w')
  const child = spawn('nice', ['-n', '19', process.execPath, 'bin/morphism.mjs', ...flags], {
    cwd: root,
    stdio: ['ignore', output, output],
  })
  const ended = new Promise(resolve => child.once('close', resolve).once('error', resolve))
  return async () => {
    console.log('\n== simulation')
    await ended
    const text = readFileSync(log, 'utf8')
    process.stdout.write(text)
    const passed = [...text.matchAll(/^ok /gm)].length
    return { passed, failed: 50 - passed }
  }
}

const checks = {
  lint: () => command('lint and format', bin('biome'), ['check', '.']),
  contracts,
  unit: () => vitest('unit and integration', 'vitest.config.mjs'),
  e2e: () => vitest('end to end', 'vitest.e2e.config.mjs'),
  simulation: () => simulation(),
}

const named = process.argv.slice(2)
const unknown = named.filter(name => !(name in checks))
if (unknown.length > 0) {
  console.error(`unknown check ${unknown.join(', ')}: choose among ${Object.keys(checks).join(', ')}`)
  process.exit(1)
}
const chosen = Object.keys(checks).filter(name => named.length === 0 || named.includes(name))
const simulation = chosen.includes('simulation') ? startSimulation() : undefined
const total = { passed: 0, failed: 0 }
for (const name of chosen) {
  const { passed, failed } = await checks[name]()
  console.log(`== ${name}: ${passed} passed, ${failed} failed`)
  total.passed += passed
  total.failed += failed
}
rmSync(scratch, { recursive: true, force: true })
console.log(`\n${total.passed} passed, ${total.failed} failed`)
process.exit(total.failed > 0 ? 1 : 0)
