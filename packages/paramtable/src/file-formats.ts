/** Files of parameters: which format, which parser, and the layer that comes of it. */
import { show } from './check.ts'
import { isMissing, readTextFile } from './edge.ts'
import type { ReadFile } from './edge.ts'
import { isPrefix } from './environment.ts'
import { ParamError } from './errors.ts'
import { MAX_FILE_LENGTH } from './flat.ts'
import type { FlatFile } from './flat.ts'
import type { LayerInput } from './options.ts'

/** `dotenv`: variables, which name parameters as those of the environment do. */
export type FileFormat = 'yaml' | 'json' | 'toml' | 'dotenv'

export interface FormatOptions {
  /** @default by the name: `.yaml`, `.yml`, `.json`, `.toml`, `.env`, `.env.*` */
  readonly format?: FileFormat | undefined
  /** Of a `dotenv` file only the variables that start with it count. @default '' */
  readonly prefix?: string | undefined
}

export interface LoadOptions extends FormatOptions {
  readonly signal?: AbortSignal | undefined
}

/** A file to be read. */
export interface FileSource extends FormatOptions {
  readonly path: string
}

const EXTENSIONS: Readonly<Record<string, FileFormat | undefined>> = { __proto__: null as never, yaml: 'yaml', yml: 'yaml', json: 'json', toml: 'toml', env: 'dotenv' }

/** Parsers are loaded with the first file of their kind. */
const PARSERS: Readonly<Record<FileFormat, () => Promise<(text: string, name: string) => FlatFile>>> = {
  yaml: async () => (await import('./yaml-text.ts')).flattenYaml,
  json: async () => (await import('./json-text.ts')).flattenJson,
  toml: async () => (await import('./toml-text.ts')).flattenToml,
  dotenv: async () => (await import('./dotenv-text.ts')).flattenDotenv,
}

/** Checks what a caller gave. @throws {TypeError} @throws {RangeError} for a name that tells no format */
export function checkSource({ path, format, prefix }: FileSource, name: string = 'path'): FileSource & { readonly format: FileFormat } {
  if (typeof path !== 'string' || path === '') throw new TypeError(`expected \`${name}\` to be a path, got ${show(path)}`)
  if (format !== undefined && !Object.hasOwn(PARSERS, format)) throw new RangeError(`expected \`format\` to be one of ${Object.keys(PARSERS).join(', ')}, got ${show(format)}`)
  if (prefix !== undefined && prefix !== '' && !isPrefix(prefix)) throw new TypeError(`expected \`prefix\` to be letters, digits and _, got ${show(prefix)}`)
  return { path, prefix, format: format ?? formatOf(path) }
}

function formatOf(path: string): FileFormat {
  const file = path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1)
  if (file.startsWith('.env.')) return 'dotenv'
  const format = EXTENSIONS[file.slice(file.lastIndexOf('.') + 1).toLowerCase()]
  if (format === undefined) throw new RangeError(`expected \`format\`, or a path that ends in one of .${Object.keys(EXTENSIONS).join(', .')}, got ${show(path)}`)
  return format
}

/** @throws {ParamError} the code of the format, `PARAM_TOO_LARGE` */
export async function parseLayer(text: string, name: string, format: FileFormat, prefix: string | undefined): Promise<LayerInput> {
  if (typeof text !== 'string') throw new TypeError(`expected \`text\` to be a string, got ${show(text)}`)
  const flatten = await PARSERS[format]()
  return layerOf(flatten(text, name), name, format === 'dotenv' ? { prefix } : undefined)
}

function layerOf(flat: FlatFile, name: string, variables: LayerInput['variables']): LayerInput {
  const entries = Array.from(flat.entries, ([key, { value, json, offset }]) => [key, value, () => flat.where(offset), json] as const)
  return { kind: 'file', name, entries, variables }
}

/** @throws {ParamError} `PARAM_SOURCE_FAILED` */
export async function readSource(path: string, signal?: AbortSignal): Promise<ReadFile> {
  try {
    return await readTextFile(path, MAX_FILE_LENGTH, signal)
  } catch (error) {
    signal?.throwIfAborted()
    throw sourceFailed(path, error)
  }
}

export function sourceFailed(path: string, cause: unknown): ParamError {
  const message = cause instanceof Error ? cause.message : String(cause)
  const details = { file: path, isMissing: isMissing(cause) }
  return new ParamError('PARAM_SOURCE_FAILED', `${path}: ${message}`, { cause, outcome: 'not-applied', details })
}
