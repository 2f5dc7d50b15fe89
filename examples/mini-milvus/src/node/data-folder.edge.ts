/** What a data folder says of itself: the format of what lies in it, and the process that uses it now or did last. */
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { version } from '../version.ts'

/** Rises when an older release could no longer read what a newer one writes, in any part of the folder. 2: vector indexes of bytes. */
export const DATA_FORMAT = 2

const FORMAT_FILE = 'format.json'
const RUN_FILE = 'running.json'

/** Who uses a data folder. The stores' locks decide that; this says it to people. */
export interface RunRecord {
  readonly pid: number
  readonly host: string
  /** ISO 8601. */
  readonly since: string
}

/** `DATA_NEWER`: nothing was touched. `DATA_LOCKED`: by a process that lives. */
export class DataFolderError extends Error {
  override readonly name = 'DataFolderError'
  readonly code: 'DATA_NEWER' | 'DATA_LOCKED' | 'DATA_MISSING'

  constructor(code: DataFolderError['code'], message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** The absolute path of the folder, made where it is missing; a newer format is refused before anything is touched. */
export async function prepareDataFolder(path: string): Promise<string> {
  const folder = resolve(path)
  await checkFormat(folder)
  await mkdir(folder, { recursive: true })
  return folder
}

/** As {@link prepareDataFolder}, of a folder that must be there. */
export async function findDataFolder(path: string): Promise<string> {
  const folder = resolve(path)
  const info = await stat(join(folder, 'meta')).catch(() => undefined)
  if (info?.isDirectory() !== true) throw new DataFolderError('DATA_MISSING', `${folder} is no data folder of mini-milvus`)
  await checkFormat(folder)
  return folder
}

async function checkFormat(folder: string): Promise<void> {
  const found = await readJson<{ format?: unknown; by?: unknown }>(join(folder, FORMAT_FILE))
  if (typeof found?.format !== 'number' || found.format <= DATA_FORMAT) return
  throw new DataFolderError('DATA_NEWER', `${folder} has data format ${found.format} by its ${FORMAT_FILE}, written by mini-milvus ${String(found.by)}; this release (${version}) knows formats up to ${DATA_FORMAT}. Nothing was changed: start the newer release`)
}

/** Called once the stores are locked. @returns who left without stopping, if anybody did, and how to leave */
export async function enterDataFolder(folder: string, now: number): Promise<{ readonly left: RunRecord | undefined; close(): Promise<void> }> {
  const left = await readRun(folder)
  // A full disk keeps nobody from starting: these files inform, and the folder of an older format says nothing newer.
  const record: RunRecord = { pid: process.pid, host: hostname(), since: new Date(now).toISOString() }
  await placeJson(join(folder, FORMAT_FILE), { format: DATA_FORMAT, by: version }).catch(() => undefined)
  await placeJson(join(folder, RUN_FILE), record).catch(() => undefined)
  return { left, close: () => rm(join(folder, RUN_FILE), { force: true }) }
}

/** A store's refusal, told with all that is known of its holder. Other errors pass. */
export async function tellHolder(folder: string, error: unknown): Promise<unknown> {
  const { code } = (error ?? {}) as { code?: unknown }
  if (code !== 'KV_LOCKED' && code !== 'MSG_LOCKED') return error
  const run = await readRun(folder)
  const { pid = run?.pid } = ((error as { details?: { pid?: number } }).details ?? {}) as { pid?: number | undefined }
  const since = run === undefined || run.pid !== pid ? '' : ` on ${run.host}, since ${run.since}`
  return new DataFolderError('DATA_LOCKED', `${folder} is in use by process ${pid ?? 'of another machine'}${since}`, { cause: error })
}

export async function readRun(folder: string): Promise<RunRecord | undefined> {
  const found = await readJson<Partial<RunRecord>>(join(folder, RUN_FILE))
  return typeof found?.pid === 'number' && typeof found.host === 'string' && typeof found.since === 'string' ? (found as RunRecord) : undefined
}

/** Undefined for what is missing or no JSON: these files only inform, but for a format that is a number. */
async function readJson<T extends object>(path: string): Promise<T | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'))
    return typeof value === 'object' && value !== null ? (value as T) : undefined
  } catch {
    return undefined
  }
}

async function placeJson(path: string, value: object): Promise<void> {
  const file = await open(`${path}.tmp`, 'w')
  try {
    await file.writeFile(`${JSON.stringify(value)}\n`)
    await file.datasync()
  } finally {
    await file.close()
  }
  await rename(`${path}.tmp`, path)
}
