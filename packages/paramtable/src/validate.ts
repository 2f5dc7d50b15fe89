/** One value against what is declared. */
import { show } from './check.ts'
import type { Declarations } from './declarations.ts'
import type { ParamProblem } from './errors.ts'
import { isSecret } from './explain.ts'
import { sourceOf, textFor } from './layers.ts'
import type { LayerEntry } from './layers.ts'
import { nearestKey } from './nearest.ts'
import { because, parseDeclared } from './parsers.ts'

export function checkEntry(
  id: string,
  entry: LayerEntry,
  declared: Declarations,
  strict: boolean,
  problems: ParamProblem[],
): void {
  const declaration = declared.of(id)
  if (declaration === undefined) {
    // A hidden key that nobody knows is no mistake: it changes nothing.
    if (!strict || entry.value === undefined) return
    problems.push({ code: 'PARAM_UNKNOWN', key: id, source: sourceOf(entry), message: unknownMessage(id, declared) })
    return
  }
  const text = textFor(declaration.type, entry)
  if (text === undefined) return
  const parsed = parseDeclared(declaration, text)
  if (parsed.ok) return
  const got = isSecret(id, declaration) ? 'a secret' : `${show(text)}${because(parsed)}`
  const message = `expected \`${declaration.key}\` to be ${parsed.expected}, got ${got}`
  problems.push({ code: 'PARAM_INVALID', key: declaration.key, source: sourceOf(entry), message })
}

export function unknownMessage(key: string, declared: Declarations): string {
  const near = nearestKey(key.toLowerCase(), declared.all.map((one) => one.key))
  return `no parameter \`${key}\` is declared${near === undefined ? '' : `; did you mean \`${near}\`?`}`
}
