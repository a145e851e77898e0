// Builds the contracts and runs their tests, without a network; further arguments go to `forge test`.
import { forge } from './forge.mjs'

process.exit(forge(['test', ...process.argv.slice(2)]).status)
