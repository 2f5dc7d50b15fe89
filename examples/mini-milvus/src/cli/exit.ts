/** What an error at start means for the process: a code that scripts can tell apart, and one sentence. */
export const ExitCode = { ok: 0, bug: 1, usage: 2, port: 3, locked: 4, data: 5, unreachable: 6 } as const

export interface Failure {
  readonly code: number
  readonly message: string
  /** Only of bugs: others say what to do, and a stack would hide it. */
  readonly stack: string | undefined
}

const codes: ReadonlyMap<string, number> = new Map([
  ['ListenError', ExitCode.port],
  ['ParamError', ExitCode.usage],
  ['SettingsError', ExitCode.usage],
  ['OpenAddressError', ExitCode.usage],
  ['TlsFileError', ExitCode.usage],
  ['ExportError', ExitCode.data],
  ['StoresError', ExitCode.usage],
  ['MoveError', ExitCode.data],
])

const LOCKED = new Set(['KV_LOCKED', 'MSG_LOCKED', 'DATA_LOCKED'])
const UNREADABLE = new Set(['DATA_NEWER', 'DATA_MISSING', 'KV_CORRUPT', 'MSG_CORRUPT', 'MSG_VERSION', 'TSO_CORRUPT', 'STORAGE_CORRUPT'])

export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { code: ExitCode.bug, message: String(error), stack: undefined }
  const { code } = error as { code?: unknown }
  const text = typeof code === 'string' ? code : ''
  if (LOCKED.has(text)) return { code: ExitCode.locked, message: error.message, stack: undefined }
  if (text === 'STORES_UNREACHABLE') return { code: ExitCode.unreachable, message: error.message, stack: undefined }
  if (UNREADABLE.has(text)) return { code: ExitCode.data, message: error.message, stack: undefined }
  const known = codes.get(error.name)
  if (known !== undefined) return { code: known, message: error.message, stack: undefined }
  return { code: ExitCode.bug, message: error.message, stack: error.stack }
}
