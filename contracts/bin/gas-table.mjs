// Prints a table of execution gas, measured by test/Gas.t.sol; `--write` also renews contracts/snapshots/gas.json, which the
// tests compare with, and contracts/gas-table.md.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { contractsDir, forge } from './forge.mjs'

const snapshot = `${contractsDir}/snapshots/gas.json`
const write = process.argv.includes('--write')
const before = write ? null : readFileSync(snapshot, 'utf8')
if (write) rmSync(snapshot, { force: true })
// Without --write a difference fails in the check of forge, which prints it.
const { status, output } = forge(['test', '--match-contract', 'GasTest'], {
  capture: true,
  env: { FORGE_SNAPSHOT_CHECK: String(!write) },
})
if (status !== 0) {
  process.stderr.write(output)
  process.exit(status)
}

const gas = JSON.parse(write ? readFileSync(snapshot, 'utf8') : before)
const figure = name => Number(gas[name]).toLocaleString('en-US')
const sizes = [4, 16, 64, 128, 200]
const row = cells => `| ${cells.join(' | ')} |`
const table = `# Gas

Execution gas: without the 21,000 and the calldata of a transaction; accounts and storage cold. Written by
\`node contracts/bin/gas-table.mjs --write\`.

| members | verify, none absent | verify, a third absent | absent | createSet |
|---:|---:|---:|---:|---:|
${sizes
  .map(size =>
    row([
      size,
      figure(`verify, N = ${size}, 0 absent`),
      figure(`verify, N = ${size}, (N - 1) / 3 absent`),
      Math.floor((size - 1) / 3),
      figure(`createSet, N = ${size}`),
    ]),
  )
  .join('\n')}

| call | gas |
|---|---:|
${Object.keys(gas)
  .filter(name => !/^(verify|createSet)/.test(name))
  .map(name => row([name, figure(name)]))
  .join('\n')}

\`commitBatch\` is measured with six blobs, one message and a set of four with nobody absent; the first use of a place of the
ring writes three fresh slots. \`verify\` costs at least 153,300 at the prices of EIP-2537: two maps to G2, one addition, one
pairing check of two pairs.
`
process.stdout.write(table)
if (write) writeFileSync(`${contractsDir}/gas-table.md`, table)
