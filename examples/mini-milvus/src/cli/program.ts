/** The command line: flags, what they set, and the commands. */
import { Argument, Command, InvalidArgumentError, Option } from 'commander'
import { SHELLS, type Shell } from './completion.ts'
import { ROLES } from '../cluster/membership.ts'
import { declarations, ENV_PREFIX } from '../node/parameters.ts'

export interface StartFlags {
  readonly port?: string | undefined
  readonly host?: string | undefined
  readonly dataDir?: string | undefined
  readonly inMemory?: boolean | undefined
  readonly metricsPort?: string | undefined
  readonly config?: string | undefined
  readonly role?: readonly string[] | undefined
  readonly set?: readonly (readonly [string, string])[] | undefined
  readonly logFormat?: string | undefined
  readonly logLevel?: string | undefined
  readonly quiet?: boolean | undefined
}

export interface Actions {
  readonly start: (flags: StartFlags) => Promise<void>
  readonly config: (key: string | undefined, flags: StartFlags) => Promise<void>
  readonly doctor: (flags: StartFlags & JsonFlag) => Promise<void>
  readonly check: (folder: string, flags: StartFlags & JsonFlag) => Promise<void>
  readonly export: (collection: string, flags: StartFlags & ExportFlags) => Promise<void>
  readonly import: (collection: string, files: readonly string[], flags: StartFlags & ImportFlags) => Promise<void>
  readonly move: (to: string, flags: StartFlags & JsonFlag) => Promise<void>
  readonly completion: (shell: Shell, program: Command) => void
}

export interface JsonFlag {
  readonly json?: boolean | undefined
}

export interface ImportFlags {
  readonly database?: string | undefined
  readonly address?: string | undefined
  readonly partition?: string | undefined
  readonly sep?: string | undefined
  readonly nullkey?: string | undefined
  readonly timeout?: string | undefined
}

export interface ExportFlags {
  readonly format?: 'ndjson' | 'parquet' | undefined
  readonly output?: string | undefined
  readonly database?: string | undefined
  readonly address?: string | undefined
}

const EXAMPLES = `
Examples:
  $ mini-milvus                          serve on 127.0.0.1:19530, data in ./mini-milvus-data
  $ mini-milvus --in-memory --port 0     keep nothing, take any free port
  $ mini-milvus --config cluster.yaml --role proxy --role query
  $ mini-milvus --config mini-milvus.yaml --set common.gracefulTime=2s

Every parameter can be set by a flag here, by ${ENV_PREFIX}PROXY_PORT and the like in the environment, or in a YAML file;
the first of these wins. "mini-milvus config" lists them all, with values and where they come from.
Exit codes: 0 stopped, 1 a bug, 2 bad usage or configuration, 3 port in use, 4 data folder in use, 5 data unreadable,
6 a store does not answer.
`

export function createProgram(version: string, actions: Actions): Command {
  const program = new Command('mini-milvus')
  program
    .description('A Milvus-compatible vector database in one process.')
    .version(version, '-V, --version', 'print versions and exit')
    .showSuggestionAfterError()
    .addHelpText('after', EXAMPLES)
    .exitOverride()
  // Flags belong to the program, so that they may stand before or behind a command's name.
  withFlags(program)
  program
    .command('start', { isDefault: true })
    .description('serve until stopped (the default)')
    .action(() => actions.start(program.opts<StartFlags>()))
  program
    .command('config')
    .description('list parameters, or explain one, and exit')
    .argument('[key]', 'a parameter, such as proxy.port')
    .action((key: string | undefined) => actions.config(key, program.opts<StartFlags>()))
  program
    .command('doctor')
    .description('look whether this machine can run it, and exit')
    .option('--json', 'as one line of JSON')
    .action((own: JsonFlag) => actions.doctor({ ...program.opts<StartFlags>(), ...own }))
  program
    .command('check')
    .description('read all of a data folder that nothing uses, and name what is damaged')
    .argument('<folder>', 'a data folder')
    .option('--json', 'as one line of JSON')
    .action((folder: string, own: JsonFlag) => actions.check(folder, { ...program.opts<StartFlags>(), ...own }))
  program
    .command('export')
    .description('write all rows of a collection of a running node, as of one moment')
    .argument('<collection>', 'its name')
    .addOption(new Option('--format <format>', 'of the file').choices(['ndjson', 'parquet']).default('ndjson'))
    .option('-o, --output <file>', 'a new file; standard output unless given')
    .option('--database <name>', 'of the collection', 'default')
    .option('--address <host:port>', 'of the node; as --host and --port say unless given')
    .action((collection: string, own: ExportFlags) => actions.export(collection, { ...program.opts<StartFlags>(), ...own }))
  program
    .command('import')
    .description('import files below the import folder of a running node, and wait until they are there')
    .argument('<collection>', 'its name')
    .argument('<files...>', 'JSON, CSV, NumPy or Parquet, relative to the import folder')
    .option('--database <name>', 'of the collection', 'default')
    .option('--partition <name>', 'of the rows; the default one unless given')
    .option('--sep <text>', 'between fields of CSV')
    .option('--nullkey <text>', 'what stands for null in CSV')
    .option('--timeout <duration>', 'after which nothing is imported, such as 300s')
    .option('--address <host:port>', 'of the node; as --host and --port say unless given')
    .action((collection: string, files: readonly string[], own: ImportFlags) => actions.import(collection, files, { ...program.opts<StartFlags>(), ...own }))
  program
    .command('move')
    .description('copy all of a data folder that nothing uses into the empty stores of a cluster, or back (--config cluster.yaml --to folder)')
    .requiredOption('--to <target>', 'a YAML file with the parameters of a cluster, or a folder')
    .option('--json', 'as one line of JSON')
    .action((own: JsonFlag & { readonly to: string }) => actions.move(own.to, { ...program.opts<StartFlags>(), ...own }))
  program
    .command('completion')
    .description('print a script that completes this command line')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .action((shell: Shell) => actions.completion(shell, program))
  return program
}

function withFlags(command: Command): Command {
  return command
    .option('-p, --port <port>', `gRPC and REST (${help('proxy.port')})`)
    .option('--host <address>', `address to listen on (${help('proxy.host')})`)
    .option('-d, --data-dir <folder>', `where the data lies (${help('localStorage.path')})`)
    .option('-m, --in-memory', 'keep everything in memory')
    .option('--metrics-port <port>', `health and metrics (${help('metrics.port')})`)
    .option('-c, --config <file>', 'a YAML file with parameters')
    .addOption(new Option('-r, --role <role>', 'what this process does in a cluster; may be repeated (default: everything, alone)').choices([...ROLES, 'all']).argParser(collectRole).default([], ''))
    .option('-s, --set <key=value>', 'set any parameter; may be repeated', collectSetting, [])
    .addOption(new Option('--log-format <format>', 'how to log').choices(['auto', 'text', 'json']))
    .addOption(new Option('--log-level <level>', 'what to log').choices(['trace', 'debug', 'info', 'warn', 'error', 'silent']))
    .option('-q, --quiet', 'print nothing but errors')
}

function help(key: string): string {
  const declared = declarations.find((declaration) => declaration.key === key)
  return `default ${String(declared?.default)}`
}

function collectRole(role: string, roles: readonly string[]): readonly string[] {
  const named = role.split(',')
  const unknown = named.find((name) => name !== 'all' && !(ROLES as readonly string[]).includes(name))
  if (unknown !== undefined) throw new InvalidArgumentError(`expected ${ROLES.join(', ')} or all.`)
  return [...roles, ...named]
}

function collectSetting(text: string, settings: readonly (readonly [string, string])[]): (readonly [string, string])[] {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('expected key=value, such as proxy.port=19531.')
  return [...settings, [text.slice(0, at), text.slice(at + 1)]]
}
