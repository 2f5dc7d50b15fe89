import { MAX_DEPTH, MAX_FILTER_BYTES } from './ast.ts'
import type { Expr } from './ast.ts'
import { Builder } from './build.ts'
import { FilterError } from './errors.ts'
import { parse as parseGrammar, SyntaxError as GrammarError } from './generated/parser.js'
import type { Expectation } from './generated/parser.js'
import { hintAt } from './hints.ts'
import { parseKeyList } from './key-list.ts'

const encoder = new TextEncoder()

/**
 * Parses a filter that is not blank (see `compileFilter` for the empty one). Text is at most 4 MB, nested at most 200 deep.
 * @throws {FilterError} of kind `syntax`, with a caret under the offending column.
 */
export function parseFilter(text: string): Expr {
  if (typeof text !== 'string') throw new TypeError(`expected \`text\` to be a string, got ${typeof text}`)
  if (text.length > MAX_FILTER_BYTES || (text.length * 3 > MAX_FILTER_BYTES && encoder.encode(text).length > MAX_FILTER_BYTES)) {
    throw new FilterError('syntax', `the filter is longer than ${MAX_FILTER_BYTES} bytes`, '', 0)
  }
  checkBrackets(text)
  const builder = new Builder(text)
  const keyList = parseKeyList(text, builder)
  if (keyList !== undefined) return keyList
  try {
    return parseGrammar(text, { builder })
  } catch (error) {
    if (error instanceof GrammarError) throw translate(error, text)
    throw error
  }
}

/** Counts nesting before anything recurses: the parser's only recursion is through brackets. */
function checkBrackets(text: string): void {
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x28 || code === 0x5b) {
      depth += 1
      if (depth > MAX_DEPTH) throw new FilterError('syntax', `the filter is nested deeper than ${MAX_DEPTH} levels`, text, i)
    } else if (code === 0x29 || code === 0x5d) {
      depth -= 1
    } else if (code === 0x22 || code === 0x27) {
      i = endOfString(text, i, code)
    }
  }
}

function endOfString(text: string, start: number, quote: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x5c) i += 1
    else if (code === quote) return i
    // Strings end with their line: what follows may be brackets again.
    else if (code === 0x0a || code === 0x0d) return i
  }
  return text.length
}

function translate(error: GrammarError, text: string): FilterError {
  const offset = error.location.start.offset
  const found = describeFound(text, offset)
  return new FilterError('syntax', `expected ${describeExpected(error.expected ?? [])} but found ${found}`, text, offset, hintAt(text, offset))
}

function describeFound(text: string, offset: number): string {
  if (offset >= text.length) return 'the end of the filter'
  const word = /^(?:[A-Za-z_][A-Za-z0-9_]*|[=<>!&|*]+|[\s\S])/u.exec(text.slice(offset, offset + 40))?.[0] ?? text.charAt(offset)
  return `\`${word}\``
}

function describeExpected(expected: readonly Expectation[]): string {
  const names = new Set<string>()
  for (const item of expected) {
    if (item.type === 'end') names.add('the end of the filter')
    else if (item.type === 'literal') names.add(`\`${item.text ?? ''}\``)
    else if (item.type === 'other' && item.description !== 'whitespace') names.add(item.description ?? '')
  }
  if (names.has('number') && names.has('string')) return names.has('`]`') ? 'a value or `]`' : names.has('`)`') ? 'a value or `)`' : 'a field or a value'
  names.delete('`**`')
  names.delete('`is null`')
  names.delete('`[`')
  names.delete('`(`')
  const list = [...names].sort().map((name) => (name === 'operator' ? 'an operator' : name === 'field name' ? 'a field name' : name))
  return list.length < 2 ? (list[0] ?? 'nothing more') : `${list.slice(0, -1).join(', ')} or ${list.at(-1)}`
}
