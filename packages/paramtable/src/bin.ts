#!/usr/bin/env node
/** The program `paramtable`. */
import { runCli } from './cli/run.ts'
import { world } from './cli/world.edge.ts'

void runCli(process.argv.slice(2), world).then((code) => {
  process.exitCode = code
})
