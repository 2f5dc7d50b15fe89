#!/usr/bin/env node
/** The program `mini-milvus`. */
import { type Command, CommanderError } from 'commander'
import { systemClock } from './edge/system.ts'
import { checkFolder, checkText } from './cli/check.ts'
import { completionScript, type Shell } from './cli/completion.ts'
import { doctorText, examine } from './cli/doctor.edge.ts'
import { exportRows } from './cli/export.ts'
import { importFiles } from './cli/import.ts'
import { connectRpc } from './cli/rpc.edge.ts'
import { openOutput, pauseFor, postJson } from './cli/output.edge.ts'
import { keepAlive } from './cli/keep-alive.edge.ts'
import { move, moveText } from './cli/move.ts'
import { ExitCode, failureOf } from './cli/exit.ts'
import { createLogger } from './cli/logging.ts'
import { createProgram, type ExportFlags, type ImportFlags, type JsonFlag, type StartFlags } from './cli/program.ts'
import { readyFacts, readyText } from './cli/ready.ts'
import { explainText, listText, readSettings, SettingsError } from './cli/settings.ts'
import { isLoopback } from './node/open-address.ts'
import { startNode } from './node/start.ts'
import { version } from './version.ts'

const program = createProgram(`mini-milvus ${version}, Node ${process.version}, ${process.platform} ${process.arch}`, { start, config, doctor, check, export: exportCollection, import: importCollection, move: moveData, completion })

// Whoever reads has heard enough: `mini-milvus --help | head`. A node goes on.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

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

async function doctor(flags: StartFlags & JsonFlag): Promise<void> {
  const findings = await examine(await readSettings(flags, process.env))
  process.stdout.write(`${flags.json === true ? JSON.stringify(findings) : doctorText(findings)}\n`)
  if (findings.some(({ state }) => state === 'fail')) process.exitCode = ExitCode.usage
}

async function check(folder: string, flags: StartFlags & JsonFlag): Promise<void> {
  const report = await checkFolder(folder, progress('segments', flags))
  process.stdout.write(`${flags.json === true ? JSON.stringify(report) : checkText(report)}\n`)
  if (report.damage.length > 0) process.exitCode = ExitCode.data
}

async function exportCollection(collection: string, flags: StartFlags & ExportFlags): Promise<void> {
  const parameters = await readSettings(flags, process.env)
  const address = flags.address ?? `${parameters.getString('proxy.host')}:${parameters.getInt('proxy.port')}`
  const rpc = connectRpc(address, flags.database ?? 'default')
  const output = await openOutput(flags.output)
  const onProgress = progress('rows', flags)
  try {
    await exportRows({ collection, format: flags.format ?? 'ndjson', pageRows: 2048, call: (name, request) => rpc.call(name, request), write: (bytes) => output.write(bytes), onProgress })
  } finally {
    rpc.close()
    await output.close()
  }
}

async function importCollection(collection: string, files: readonly string[], flags: StartFlags & ImportFlags): Promise<void> {
  const parameters = await readSettings(flags, process.env)
  const address = flags.address ?? `${parameters.getString('proxy.host')}:${parameters.getInt('proxy.port')}`
  const { rows } = await importFiles({ address, dbName: flags.database ?? 'default', collection, partition: flags.partition, files, options: flags, post: postJson, pause: () => pauseFor(200), onProgress: progress('% of the import', flags) })
  if (flags.quiet !== true) process.stdout.write(`${rows} rows\n`)
}

async function moveData(to: string, flags: StartFlags & JsonFlag): Promise<void> {
  const target = await readSettings(/\.ya?ml$/i.test(to) ? { config: to } : { dataDir: to }, {})
  const source = await readSettings(flags, process.env)
  const report = await keepAlive(() => move(source, target, systemClock, progress('objects', flags)))
  process.stdout.write(`${flags.json === true ? JSON.stringify(report) : moveText(report)}\n`)
}

function completion(shell: Shell, described: Command): void {
  process.stdout.write(`${completionScript(described, shell)}\n`)
}

/** On a terminal a line that is written over; elsewhere a line every ten seconds. */
function progress(what: string, { quiet }: StartFlags): (done: number, all?: number) => void {
  let toldAt = systemClock.monotonic()
  return (done, all) => {
    const now = systemClock.monotonic()
    if (quiet === true || now - toldAt < (process.stderr.isTTY ? 200 : 10_000)) return
    toldAt = now
    process.stderr.write(`${process.stderr.isTTY ? '\r' : ''}${done}${all === undefined ? '' : ` of ${all}`} ${what}${process.stderr.isTTY ? '' : '\n'}`)
  }
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
