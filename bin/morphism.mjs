#!/usr/bin/env node
import { simulateCommand } from '../build/test/simulation/simulate-command.js'

// A simulation puts its own modules in place of some of the network's: it needs them one by one, not in a bundle.
const { main } = await import(
  process.argv[2] === 'simulate' ? '../build/src/app/cli/main.js' : '../build/bundle/main.js'
)
await main([simulateCommand()])
