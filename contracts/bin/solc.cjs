#!/usr/bin/env node
// A native-looking `solc` over the npm package, so that forge compiles without a network.
const solc = require('solc')

if (process.argv.includes('--version')) {
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}`)
} else if (process.argv.includes('--standard-json')) {
  process.stdout.write(solc.compile(require('node:fs').readFileSync(0, 'utf8')))
} else {
  console.error('solc.cjs understands only --version and --standard-json')
  process.exitCode = 1
}
