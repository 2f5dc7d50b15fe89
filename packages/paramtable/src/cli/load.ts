/** The table that a command line describes, and everything that is wrong with it. */
import type { ParamDeclaration } from '../declaration.ts'
import { ParamError } from '../errors.ts'
import type { ParamProblem } from '../errors.ts'
import { createGlobalParamsTable } from '../table.ts'
import type { GlobalParamsTable } from '../table.ts'
import type { CommandLine } from './arguments.ts'

export interface Loaded {
  readonly table: GlobalParamsTable
  readonly problems: readonly ParamProblem[]
}

/** One bad source does not hide what is wrong with the next. @throws {TypeError} @throws {RangeError} for wrong usage */
export async function loadTable(line: CommandLine, declarations: readonly ParamDeclaration[], environment: Readonly<Record<string, string | undefined>>): Promise<Loaded> {
  const { strict, envPrefix, files, flags } = line
  const problems: ParamProblem[] = []
  const attempt = async (what: string, call: () => unknown): Promise<void> => {
    try {
      await call()
    } catch (error) {
      // What a caller did wrong is no problem of a source.
      if (!(error instanceof ParamError)) throw error
      problems.push(...problemsOf(what, error))
    }
  }
  let table = createGlobalParamsTable({ declarations, strict })
  if (envPrefix !== undefined) {
    await attempt('the environment', () => {
      table = createGlobalParamsTable({ declarations, strict, env: { values: environment, prefix: envPrefix } })
    })
  }
  for (const file of files) await attempt(file, () => table.loadFile(file, { prefix: envPrefix }))
  if (flags.length > 0) {
    await attempt('--set', () => table.setLayer({ kind: 'flags', name: '--set', entries: flags.map(([key, value]) => [key, value, `--set ${key}`]) }))
  }
  return { table, problems }
}

function problemsOf(source: string, error: ParamError): readonly ParamProblem[] {
  const { problems } = error.details
  if (Array.isArray(problems)) return problems as readonly ParamProblem[]
  // The message begins with the place.
  const [, place = source, message = error.message] = /^(\S+:\d+:\d+): (.*)$/s.exec(error.message) ?? []
  return [{ code: error.code, key: '', source: place, message }]
}
