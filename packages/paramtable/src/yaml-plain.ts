/**
 * The plain part of YAML, read line by line: block maps of plain keys with one-line scalars, comments, blank lines. That is what files
 * of parameters mostly are, and some ten times quicker than a whole parser. Anything else, and anything that might mean something
 * else, gives `undefined`: then the parser reads the text. Both give the same entries; a test compares them.
 */
import type { FlatEntry } from './flat.ts'

/** Indent, key, and what stands behind the colon. Keys that YAML could read as something else are left to the parser. */
const LINE = /^( *)([A-Za-z_][A-Za-z0-9_.-]*):(?: +(.*))?$/
/** A plain scalar that starts with no indicator and holds neither `: ` nor ` #`; dashes and dots in numbers and paths are plain. */
const PLAIN_START = /^(?:[A-Za-z0-9_/.+~$^(]|-(?=[A-Za-z0-9_/.]))/
const DOUBLE_QUOTED = /^"([^"\\]*)"$/
const SINGLE_QUOTED = /^'([^']*)'$/
const NULLS = new Set(['~', 'null', 'Null', 'NULL'])
const MAX_DEPTH = 60
const MAX_KEY_LENGTH = 1_024

interface Level {
  readonly indent: number
  readonly prefix: string
}

/** By lower-case key, or `undefined` where the text is not that plain. */
export function readPlainYaml(text: string): Map<string, FlatEntry> | undefined {
  if (!isOrdinary(text)) return undefined
  const entries = new Map<string, FlatEntry>()
  /** Paths of maps: no key may be both. */
  const maps = new Set<string>()
  const levels: Level[] = []
  /** A key without a value: a map if the next line is indented more, else null. */
  let open: { readonly path: string; readonly indent: number; readonly offset: number } | undefined
  let begin = 0
  while (begin < text.length) {
    const newline = text.indexOf('\n', begin)
    const end = newline < 0 ? text.length : newline
    const line = text.slice(begin, text.charCodeAt(end - 1) === 13 && end > begin ? end - 1 : end)
    const offset = begin
    begin = end + 1
    if (isBlank(line)) continue
    const match = LINE.exec(line)
    if (match === null || NULLS.has(match[2] ?? '')) return undefined
    const indent = match[1]?.length ?? 0
    if (open !== undefined) {
      if (indent > open.indent) {
        if (levels.length >= MAX_DEPTH || entries.has(open.path) || maps.has(open.path)) return undefined
        maps.add(open.path)
        levels.push({ indent, prefix: `${open.path}.` })
      } else if (!put(entries, maps, open.path, '', open.offset)) return undefined
      open = undefined
    }
    if (levels.length === 0) levels.push({ indent, prefix: '' })
    let level = levels.at(-1)
    while (level !== undefined && level.indent > indent) {
      levels.pop()
      level = levels.at(-1)
    }
    if (level?.indent !== indent) return undefined
    const path = level.prefix + (match[2] ?? '').toLowerCase()
    if (path.length > MAX_KEY_LENGTH) return undefined
    const value = readValue(match[3] ?? '')
    if (value === undefined) return undefined
    if (value === null) open = { path, indent, offset: offset + indent }
    else if (!put(entries, maps, path, value, offset + indent)) return undefined
  }
  if (open !== undefined && !put(entries, maps, open.path, '', open.offset)) return undefined
  return entries
}

/** No control characters but ends of lines, no surrogates, no white space of Unicode: about those YAML has rules of its own. */
function isOrdinary(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code >= 32 && code < 127) continue
    if (code === 10 || (code === 13 && text.charCodeAt(index + 1) === 10)) continue
    const isLetter = code > 0xa0 && code < 0xd800 && code !== 0x2028 && code !== 0x2029
    if (!isLetter) return false
  }
  return true
}

function isBlank(line: string): boolean {
  let index = 0
  while (line.charCodeAt(index) === 32) index++
  return index === line.length || line.charCodeAt(index) === 35
}

/** `null`: nothing there, or a comment alone. `undefined`: not plain. */
function readValue(rest: string): string | null | undefined {
  if (rest === '') return null
  const comment = rest.startsWith('#') ? 0 : rest.indexOf(' #')
  const text = trimEnd(comment < 0 ? rest : rest.slice(0, comment))
  if (text === '') return null
  if (comment >= 0 && (rest.includes('"') || rest.includes("'"))) return undefined
  const first = text.charCodeAt(0)
  if (first === 34) return DOUBLE_QUOTED.exec(text)?.[1]
  if (first === 39) return SINGLE_QUOTED.exec(text)?.[1]
  if (!PLAIN_START.test(text) || text.endsWith(':') || text.includes(': ') || /^\.\.\.|^---/.test(text)) return undefined
  return NULLS.has(text) ? '' : text
}

/** Of spaces alone: to YAML other white space is text. */
function trimEnd(text: string): string {
  let end = text.length
  while (end > 0 && text.charCodeAt(end - 1) === 32) end--
  return end === text.length ? text : text.slice(0, end)
}

function put(entries: Map<string, FlatEntry>, maps: ReadonlySet<string>, path: string, value: string, offset: number): boolean {
  // A key that is there twice: the parser's words are better.
  if (entries.has(path) || maps.has(path)) return false
  entries.set(path, { value, offset })
  return true
}
