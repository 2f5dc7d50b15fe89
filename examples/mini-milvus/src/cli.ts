#!/usr/bin/env node
/** The program `mini-milvus`. */
import { CommanderError } from 'commander'
import { systemClock } from './edge/system.ts'
import { ExitCode, failureOf } from './cli/exit.ts'
import { createLogger } from './cli/logging.ts'
import { createProgram, type StartFlags } from './cli/program.ts'
import { readyFacts, readyText } from './cli/ready.ts'
import { explainText, listText, readSettings, SettingsError } from './cli/settings.ts'
import { isLoopback } from './node/open-address.ts'
import { startNode } from './node/start.ts'
import { version } from './version.ts'

const program = createProgram(`mini-milvus ${version}, Node ${process.version}, ${process.platform} ${process.arch}`, { start, config })

program.parseAsync().catch((error: unknown) => {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? ExitCode.ok : ExitCode.usage
  else fail(error)
})

async function start(flags: StartFlags): Promise<void> {
  const startedAt = systemClock.monotonic()
  const parameters = await readSettings(flags, process.env)
  refuseOpenAddress(parameters.getString('proxy.host'), parameters.getBool('proxy.allowOpen') || parameters.getBool('authorization.enabled'))
  const format = parameters.getString('log.format')
  const json = format === 'json' || (format === 'auto' && !process.stdout.isTTY)
  const logger = createLogger(parameters.getString('log.level'), json ? 'json' : 'text')
  const node = await startNode(parameters, logger, systemClock)
  const facts = readyFacts(node, version, systemClock.monotonic() - startedAt)
  const color = process.stdout.isTTY && process.env['NO_COLOR'] === undefined && process.env['TERM'] !== 'dumb'
  // Whoever reads that it is ready may stop it at once.
  stopOnSignals(node, flags.quiet === true)
  if (flags.quiet !== true) process.stdout.write(`${json ? JSON.stringify({ event: 'ready', ...facts }) : readyText(facts, color)}\n`)
}

async function config(key: string | undefined, flags: StartFlags): Promise<void> {
  const parameters = await readSettings(flags, process.env)
  process.stdout.write(`${key === undefined ? listText(parameters) : explainText(parameters, key)}\n`)
}

function refuseOpenAddress(host: string, allowed: boolean): void {
  if (isLoopback(host) || allowed) return
  throw new SettingsError(`${host} can be reached from other machines and authorization is off; set authorization.enabled=true, or, to start all the same: --set proxy.allowOpen=true`)
}

/** The first signal stops in order; a second one ends the process at once. */
function stopOnSignals(node: { close(): Promise<void> }, quiet: boolean): void {
  let stopping = false
  for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(code)
      stopping = true
      if (!quiet) process.stderr.write('stopping\n')
      node.close().then(
        () => process.exit(ExitCode.ok),
        (error: unknown) => {
          fail(error)
          process.exit()
        },
      )
    })
  }
}

function fail(error: unknown): void {
  const { code, message, stack } = failureOf(error)
  process.stderr.write(`mini-milvus: ${stack ?? message}\n`)
  process.exitCode = code
}
