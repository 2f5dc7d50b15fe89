/** The declared parameters as documents. */
import { stringify } from 'yaml'
import { compareKeys } from './check.ts'
import type { Declared } from './declaration.ts'
import { isSecret } from './explain.ts'

function byKey(declared: readonly Declared[]): Declared[] {
  return [...declared].sort((a, b) => compareKeys(a.id, b.id))
}

function bounds({ min, max, oneOf, unit }: Declared): string {
  const parts = []
  if (oneOf !== undefined) parts.push(oneOf.join(', '))
  if (min !== undefined || max !== undefined) parts.push(`${min ?? '-∞'}..${max ?? '∞'}`)
  if (unit !== undefined) parts.push(unit)
  return parts.join('; ')
}

function shownDefault(one: Declared): string {
  return one.defaultText === undefined ? '' : isSecret(one.id, one) && one.defaultText !== '' ? '******' : one.defaultText
}

export function describeMarkdown(declared: readonly Declared[]): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')
  const rows = byKey(declared).map((one) => {
    const notes = [one.doc ?? '', one.secret === true ? 'Secret.' : '', one.immutable === true ? 'Fixed once read.' : '']
    const code = shownDefault(one) === '' ? '' : `\`${cell(shownDefault(one))}\``
    return `| \`${cell(one.key)}\` | ${one.type} | ${code} | ${cell(bounds(one))} | ${cell(notes.filter((note) => note !== '').join(' '))} |`
  })
  return ['| Parameter | Type | Default | Allowed | |', '|---|---|---|---|---|', ...rows, ''].join('\n')
}

/** A file that sets every parameter to its default; one without a default, or a secret, is a comment. */
export function describeYaml(declared: readonly Declared[]): string {
  const ids = new Set(declared.map(({ id }) => id))
  const all = byKey(declared).map((one) => ({ one, path: yamlPath(one.key, ids), hidden: one.defaultText === undefined || isSecret(one.id, one) }))
  /** Maps with something in them; an empty one would be a value. */
  const filled = new Set(all.flatMap(({ path, hidden }) => (hidden ? [] : path.map((_, depth) => joined(path, depth)))))
  const lines: string[] = []
  let open: string[] = []
  for (const { one, path, hidden } of all) {
    const parents = path.slice(0, -1)
    let same = 0
    while (same < parents.length && same < open.length && joined(open, same) === joined(parents, same)) same++
    for (let depth = same; depth < parents.length; depth++) {
      lines.push(`${'  '.repeat(depth)}${filled.has(joined(parents, depth)) ? '' : '# '}${yamlText(parents[depth] ?? '')}:`)
    }
    open = parents
    lines.push(...entryLines(one, path.at(-1) ?? '', '  '.repeat(parents.length), hidden))
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`
}

function entryLines(one: Declared, name: string, indent: string, hidden: boolean): string[] {
  const about = [one.doc ?? '', [one.type, bounds(one)].filter((part) => part !== '').join('; ')]
  const comments = about.filter((text) => text !== '').flatMap((text) => text.split('\n').map((line) => `${indent}# ${line}`))
  const isText = one.type === 'string' || one.type === 'list' || one.type === 'enum'
  const value = hidden ? '' : ` ${isText ? yamlText(one.defaultText ?? '') : one.defaultText}`
  return [...comments, `${indent}${hidden ? '# ' : ''}${yamlText(name)}:${value}`]
}

/** The maps a key lies in; below a key that has a value itself, the rest stays in one piece (`a: 1`, `a.b: 2`). */
function yamlPath(key: string, ids: ReadonlySet<string>): string[] {
  const path = key.split('.')
  const cut = path.findIndex((_, depth) => depth < path.length - 1 && ids.has(joined(path, depth)))
  return cut < 0 ? path : [...path.slice(0, cut), path.slice(cut).join('.')]
}

function joined(path: readonly string[], depth: number): string {
  return path.slice(0, depth + 1).join('.').toLowerCase()
}

function yamlText(text: string): string {
  return stringify(text, { lineWidth: 0 }).trimEnd()
}
