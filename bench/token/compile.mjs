// Compiles BenchToken.sol with OpenZeppelin's ERC20 to BenchToken.json: { abi, bytecode }.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const here = path.dirname(fileURLToPath(import.meta.url))
const modules = path.join(here, '..', '..', 'node_modules')
const solc = createRequire(import.meta.url)('solc')
const input = {
  language: 'Solidity',
  sources: { 'BenchToken.sol': { content: readFileSync(path.join(here, 'BenchToken.sol'), 'utf8') } },
  settings: {
    optimizer: { enabled: true, runs: 200 },
    evmVersion: 'prague',
    outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } },
  },
}
const readImport = file => ({ contents: readFileSync(path.join(modules, file), 'utf8') })
const { contracts, errors = [] } = JSON.parse(solc.compile(JSON.stringify(input), { import: readImport }))
const severe = errors.filter(error => error.severity === 'error')
if (severe.length > 0) {
  console.error(severe.map(error => error.formattedMessage).join('\n'))
  process.exit(1)
}
const { abi, evm } = contracts['BenchToken.sol'].BenchToken
writeFileSync(
  path.join(here, 'BenchToken.json'),
  `${JSON.stringify({ abi, bytecode: `0x${evm.bytecode.object}` }, null, 2)}\n`,
)
