#!/usr/bin/env node
import { main } from '../build/src/app/cli/main.js'
import { simulateCommand } from '../build/test/simulation/simulate-command.js'

await main([simulateCommand()])
