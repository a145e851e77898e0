#!/usr/bin/env node
import '../build/src/app/cli/main.js'
