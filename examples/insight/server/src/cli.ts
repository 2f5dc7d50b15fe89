#!/usr/bin/env node
/** `timetick-insight`: the server and its page alone, against clusters by address. */
import { runCli } from './edge/cli.ts'

process.exitCode = await runCli(process.argv.slice(2))
