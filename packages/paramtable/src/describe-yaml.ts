/** An example file: every parameter with its documentation, set to its default. */
import { stringify } from 'yaml'
import type { Declared } from './declaration.ts'
import { bounds } from './describe-markdown.ts'
import { isSecret } from './explain.ts'

export function describeYaml(sorted: readonly Declared[]): string {
  const ids = new Set(sorted.map(({ id }) => id))
  const all = sorted.map((one) => ({ one, path: pathOf(one.key, ids), hidden: one.defaultText === undefined || isSecret(one.id, one) }))
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
export function pathOf(key: string, ids: ReadonlySet<string>): string[] {
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
