/** The command line, read. */
import { parseArgs } from 'node:util'

export const HELP = `Usage: paramtable <command> [options]

Where parameters come from, whether they fit, what there is.

  explain [key ...]  the value of each key (all without one), its source, and what it hides
  dump               all values
  check              refuses what does not fit its declaration, and names deprecated keys in use
  describe           the declared parameters: a reference, an example file, or a JSON Schema

  -f, --file PATH            a file of parameters: .yaml .yml .json .toml .env; may be repeated, the later over the earlier
  -d, --declarations PATH    a JavaScript module whose default export (or \`declarations\`) is an array of declarations, or such an array as JSON
  -e, --env-prefix PREFIX    take variables of the environment that start with it; also those of .env files
  -s, --set KEY=VALUE        a flag, over files and environment; may be repeated
      --strict               refuse keys that are not declared
      --format FORMAT        of describe: markdown (default), yaml, json-schema
      --json                 the answer as JSON
  -h, --help

Secrets are masked. Exit code: 0 well; 1 something is refused, cannot be read, or is not there; 2 wrong usage.
`

export const COMMANDS = ['explain', 'dump', 'check', 'describe'] as const
export const FORMATS = ['markdown', 'yaml', 'json-schema'] as const

export interface CommandLine {
  readonly command: (typeof COMMANDS)[number]
  readonly keys: readonly string[]
  readonly files: readonly string[]
  readonly declarations: string | undefined
  readonly envPrefix: string | undefined
  readonly flags: readonly (readonly [key: string, value: string])[]
  readonly strict: boolean
  readonly json: boolean
  readonly format: (typeof FORMATS)[number]
}

export class UsageError extends Error {
  override readonly name: string = 'UsageError'
}

/** `undefined`: help is wanted. @throws {UsageError} */
export function readCommandLine(argv: readonly string[]): CommandLine | undefined {
  const { values, positionals } = parsed(argv)
  if (values.help === true) return undefined
  const [name, ...keys] = positionals
  const command = COMMANDS.find((known) => known === name)
  if (command === undefined) throw new UsageError(name === undefined ? 'no command' : `unknown command ${JSON.stringify(name)}: expected one of ${COMMANDS.join(', ')}`)
  if (command !== 'explain' && keys.length > 0) throw new UsageError(`${command} takes no keys, got ${JSON.stringify(keys[0])}`)
  const format = FORMATS.find((known) => known === (values.format ?? 'markdown'))
  if (format === undefined) throw new UsageError(`expected --format to be one of ${FORMATS.join(', ')}, got ${JSON.stringify(values.format)}`)
  return {
    command, keys, format,
    files: values.file ?? [],
    declarations: values.declarations,
    envPrefix: values['env-prefix'],
    flags: (values.set ?? []).map(readFlag),
    strict: values.strict === true,
    json: values.json === true,
  }
}

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        file: { type: 'string', short: 'f', multiple: true },
        declarations: { type: 'string', short: 'd' },
        'env-prefix': { type: 'string', short: 'e' },
        set: { type: 'string', short: 's', multiple: true },
        strict: { type: 'boolean' },
        format: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function readFlag(text: string): readonly [string, string] {
  const at = text.indexOf('=')
  // The text may be a secret: only what is before a value may be shown.
  if (at < 1) throw new UsageError('expected --set KEY=VALUE')
  return [text.slice(0, at), text.slice(at + 1)]
}
