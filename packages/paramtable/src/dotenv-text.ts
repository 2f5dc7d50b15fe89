/**
 * `.env` files: names of variables and their values, as dotenv reads them. It says nothing of lines, of names that are there twice or of what
 * it skips; so the text is cut into assignments here, and each is given to it by itself.
 */
import dotenv from 'dotenv'
import { LONE_SURROGATE } from './check.ts'
import { checkLength, refusal, whereIn } from './flat.ts'
import type { FileText, FlatEntry, FlatFile } from './flat.ts'

/** Name, and the quote that begins the value if one does. */
const ASSIGNMENT = /^([ \t]*)(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=[ \t]*(["'`]?)/
const NOTHING = /^[ \t]*(#.*)?$/

/** @throws {ParamError} `PARAM_DOTENV` with file, line and column; `PARAM_TOO_LARGE`. */
export function flattenDotenv(text: string, name: string): FlatFile {
  const file: FileText = { text, name, code: 'PARAM_DOTENV' }
  checkLength(file)
  const entries = new Map<string, FlatEntry>()
  for (let begin = 0; begin < text.length; ) {
    const end = endOfLine(text, begin)
    const line = text.slice(begin, end).replace(/\r$/, '')
    const found = NOTHING.test(line) ? undefined : ASSIGNMENT.exec(line)
    if (found === null) throw refusal(file, begin, 'expected NAME=value, a comment or nothing')
    let after = end
    if (found !== undefined) {
      const [matched, indent = '', variable = '', quote = ''] = found
      const offset = begin + indent.length
      if (quote !== '') after = endOfQuoted(file, begin + matched.length, quote)
      if (entries.has(variable)) throw refusal(file, offset, `the variable ${variable} is there twice`)
      const parsed = dotenv.parse(text.slice(begin, after))
      const value = Object.hasOwn(parsed, variable) ? parsed[variable] : undefined
      if (value === undefined) throw refusal(file, offset, `the value of ${variable} cannot be read`)
      if (LONE_SURROGATE.test(value)) throw refusal(file, offset, `the value of ${variable} has a lone surrogate`)
      entries.set(variable, { value, offset })
    }
    begin = after + 1
  }
  return { entries, where: (offset) => whereIn(file, offset) }
}

/** The end of the line in which the quote closes; nothing but a comment may stand behind it. */
function endOfQuoted(file: FileText, begin: number, quote: string): number {
  const { text } = file
  let close = text.indexOf(quote, begin)
  while (close > 0 && text[close - 1] === '\\') close = text.indexOf(quote, close + 1)
  if (close < 0) throw refusal(file, begin - 1, 'the quote is never closed')
  const end = endOfLine(text, close)
  if (!NOTHING.test(text.slice(close + 1, end).replace(/\r$/, ''))) throw refusal(file, close + 1, 'expected nothing but a comment behind the closing quote')
  return end
}

function endOfLine(text: string, begin: number): number {
  const end = text.indexOf('\n', begin)
  return end < 0 ? text.length : end
}
