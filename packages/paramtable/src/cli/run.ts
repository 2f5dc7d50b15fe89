/** The commands of the program `paramtable`. */
import type { ParamDeclaration } from '../declaration.ts'
import type { Explanation } from '../explain.ts'
import { isParamError } from '../errors.ts'
import type { ParamProblem } from '../errors.ts'
import type { DeprecatedUse, GlobalParamsTable } from '../table.ts'
import { HELP, UsageError, readCommandLine } from './arguments.ts'
import type { CommandLine } from './arguments.ts'
import { loadTable } from './load.ts'

/** What a program has of the world. */
export interface World {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The array of declarations in a module or a JSON file. */
  readonly readDeclarations: (path: string) => Promise<unknown>
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

/** Gives the exit code: 0 well; 1 something is refused, cannot be read, or is not there; 2 wrong usage. */
export async function runCli(argv: readonly string[], world: World): Promise<number> {
  try {
    const line = readCommandLine(argv)
    if (line === undefined) {
      world.out(HELP)
      return 0
    }
    return await runCommand(line, world)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    world.err(`paramtable: ${error.message}\n\n${HELP}`)
    return 2
  }
}

async function runCommand(line: CommandLine, world: World): Promise<number> {
  const declarations = line.declarations === undefined ? [] : await declarationsAt(line.declarations, world)
  const { table, problems } = await loadTable(line, declarations, world.environment).catch((error: unknown) => {
    throw error instanceof TypeError || error instanceof RangeError ? new UsageError(error.message) : error
  })
  try {
    if (line.command === 'check') return check(table, problems, line, world)
    if (line.command === 'describe') return describe(table, line, world)
    for (const { source, message } of problems) world.err(`${source}: ${message}\n`)
    const code = line.command === 'dump' ? dump(table, line, world) : explain(table, line, world)
    return problems.length > 0 ? 1 : code
  } finally {
    table.close()
  }
}

/** The table checks each of them. */
async function declarationsAt(path: string, world: World): Promise<readonly ParamDeclaration[]> {
  const found = await world.readDeclarations(path).catch((error: unknown) => {
    throw new UsageError(`--declarations ${path}: ${error instanceof Error ? error.message : String(error)}`)
  })
  if (!Array.isArray(found)) throw new UsageError(`--declarations ${path}: expected an array of declarations as the default export or as \`declarations\``)
  return found as readonly ParamDeclaration[]
}

function check(table: GlobalParamsTable, problems: readonly ParamProblem[], { json }: CommandLine, { out, err }: World): number {
  const deprecations = table.deprecations()
  if (json) out(`${JSON.stringify({ ok: problems.length === 0, problems, deprecations }, null, 2)}\n`)
  else {
    for (const { source, message } of problems) err(`${source}: ${message}\n`)
    for (const use of deprecations) err(`${renaming(use)}\n`)
    out(`${table.snapshot().size} parameters, ${problems.length} refused, ${deprecations.length} under deprecated names\n`)
  }
  return problems.length > 0 ? 1 : 0
}

function renaming({ source, deprecatedKey, key }: DeprecatedUse): string {
  return `${source}: \`${deprecatedKey}\` is deprecated, now \`${key}\``
}

function describe(table: GlobalParamsTable, { format, json }: CommandLine, { out }: World): number {
  const { markdown, yaml, jsonSchema } = table.describe()
  if (json || format === 'json-schema') out(`${JSON.stringify(jsonSchema, null, 2)}\n`)
  else out(format === 'yaml' ? yaml : markdown)
  return 0
}

function dump(table: GlobalParamsTable, { json }: CommandLine, { out }: World): number {
  const values = table.dump()
  if (json) out(`${JSON.stringify(Object.fromEntries(values), null, 2)}\n`)
  else for (const [key, value] of values) out(`${key} = ${oneLine(value)}\n`)
  return 0
}

function explain(table: GlobalParamsTable, { keys, json }: CommandLine, { out, err }: World): number {
  let code = 0
  const explanations: Explanation[] = []
  for (const key of keys.length > 0 ? keys : table.snapshot().keys()) {
    const explanation = explained(table, key, err)
    if (explanation?.value === undefined) code = 1
    if (explanation !== undefined) explanations.push(explanation)
  }
  if (json) out(`${JSON.stringify(explanations.map((one) => ({ ...one, declaration: undefined })), null, 2)}\n`)
  else for (const explanation of explanations) out(storyOf(explanation))
  return code
}

function explained(table: GlobalParamsTable, key: string, err: (text: string) => void): Explanation | undefined {
  try {
    return table.explain(key)
  } catch (error) {
    if (!isParamError(error) && !(error instanceof RangeError)) throw error
    err(`${error.message}\n`)
    return undefined
  }
}

function storyOf({ key, value, source, deprecatedKey, overrides }: Explanation): string {
  if (source === undefined) return `${key} has no value\n`
  const under = (name: string | undefined): string => (name === undefined ? '' : ` (under its deprecated name ${name})`)
  const shown = (text: string | undefined): string => (text === undefined ? 'nothing' : oneLine(text))
  const hidden = overrides.map((one) => `  hides ${shown(one.value)} from ${one.source}${under(one.deprecatedKey)}\n`)
  return `${key} = ${shown(value)}\n  from ${source}${under(deprecatedKey)}\n${hidden.join('')}`
}

/** As it is, or in quotes when it would not be seen as one. */
function oneLine(text: string): string {
  return text === '' || text !== text.trim() || /[\p{Cc}"]/u.test(text) ? JSON.stringify(text) : text
}
