/**
 * What a file of parameters is when it is flat: texts by key. Maps are joined by dots. An array of scalars is joined by commas; one that
 * commas could not bring back (elements with a comma, maps, arrays) becomes JSON text. An empty map makes no key, an empty array ''.
 */
import { LONE_SURROGATE, normalizeKey } from './check.ts'
import { ParamError } from './errors.ts'
import type { ParamErrorCode } from './errors.ts'

export const MAX_FILE_LENGTH = 16 << 20
export const MAX_NODES = 1_000_000
export const MAX_DEPTH = 64

export interface FlatEntry {
  readonly value: string
  /** An array as JSON: what a parameter declared as `json` wants of it. */
  readonly json?: string | undefined
  /** Offset of the key in the text. */
  readonly offset: number
}

export interface FlatFile {
  /** By lower-case key, in the order of the file; by the name of the variable in a file of variables. */
  readonly entries: ReadonlyMap<string, FlatEntry>
  /** `name:line:column` of an offset. */
  where(offset: number): string
}

/** A text, and how errors speak of it. */
export interface FileText {
  readonly text: string
  readonly name: string
  readonly code: ParamErrorCode
}

/** What parsers of JSON and TOML give. */
export type Tree =
  | { readonly kind: 'scalar'; readonly text: string; readonly json: string }
  | { readonly kind: 'list'; readonly items: readonly Tree[] }
  | { readonly kind: 'map'; readonly members: readonly TreeMember[] }

export interface TreeMember {
  readonly key: string
  readonly offset: number
  readonly value: Tree
}

/** `[line, column]`, both from 1. */
export function positionOf(text: string, offset: number): readonly [line: number, column: number] {
  let line = 1
  let start = 0
  for (let next = text.indexOf('\n'); next >= 0 && next < offset; next = text.indexOf('\n', start)) {
    line++
    start = next + 1
  }
  return [line, offset - start + 1]
}

export function whereIn({ text, name }: Pick<FileText, 'text' | 'name'>, offset: number): string {
  return `${name}:${positionOf(text, offset).join(':')}`
}

/** The refusal of a text, with file, line and column. */
export function refusal(file: FileText, offset: number, message: string, cause?: unknown): ParamError {
  const [line, column] = positionOf(file.text, offset)
  const details = { file: file.name, line, column }
  return new ParamError(file.code, `${file.name}:${line}:${column}: ${message}`, { cause, outcome: 'not-applied', details })
}

export function checkLength({ text, name }: Pick<FileText, 'text' | 'name'>): void {
  if (text.length <= MAX_FILE_LENGTH) return
  throw new ParamError('PARAM_TOO_LARGE', `${name}: expected at most ${MAX_FILE_LENGTH} characters, got ${text.length}`, { outcome: 'not-applied' })
}

/** True when commas bring the elements back. */
export function canJoin(texts: readonly (string | undefined)[]): texts is readonly string[] {
  return texts.every((text) => text !== undefined && !text.includes(',') && text === text.trim())
}

/** @throws {ParamError} with the file's code for a key that is there twice, cannot be one, or a value that is no text. */
export function flattenTree(root: readonly TreeMember[], file: FileText): FlatFile {
  const entries = new Map<string, FlatEntry>()
  const add = (members: readonly TreeMember[], prefix: string): void => {
    const own = new Set<string>()
    for (const { key, offset, value } of members) {
      const path = pathOf(prefix + key, offset, file)
      if (own.has(path) || (value.kind !== 'map' && entries.has(path))) throw refusal(file, offset, `the key \`${path}\` is there twice (letter case does not count)`)
      own.add(path)
      if (value.kind === 'map') {
        add(value.members, `${path}.`)
        continue
      }
      const text = textOf(value)
      if (LONE_SURROGATE.test(text)) throw refusal(file, offset, `the value of \`${path}\` has a lone surrogate`)
      entries.set(path, { value: text, json: value.kind === 'list' ? jsonOf(value) : undefined, offset })
    }
  }
  add(root, '')
  return { entries, where: (offset) => whereIn(file, offset) }
}

function pathOf(path: string, offset: number, file: FileText): string {
  try {
    return normalizeKey(path)
  } catch (error) {
    throw refusal(file, offset, (error as Error).message, error)
  }
}

function textOf(tree: Exclude<Tree, { readonly kind: 'map' }>): string {
  if (tree.kind === 'scalar') return tree.text
  const texts = tree.items.map((item) => (item.kind === 'scalar' ? item.text : undefined))
  return canJoin(texts) ? texts.join(',') : jsonOf(tree)
}

function jsonOf(tree: Tree): string {
  if (tree.kind === 'scalar') return tree.json
  if (tree.kind === 'list') return `[${tree.items.map(jsonOf).join(',')}]`
  return `{${tree.members.map(({ key, value }) => `${JSON.stringify(key)}:${jsonOf(value)}`).join(',')}}`
}
