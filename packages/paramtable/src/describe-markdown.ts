/** A reference page: one row for each parameter. */
import type { Declared } from './declaration.ts'
import { MASK, isSecret } from './explain.ts'

/** What is allowed, in few words. */
export function bounds({ min, max, oneOf, unit }: Declared): string {
  const parts = []
  if (oneOf !== undefined) parts.push(oneOf.join(', '))
  if (min !== undefined || max !== undefined) parts.push(`${min ?? '-∞'}..${max ?? '∞'}`)
  if (unit !== undefined) parts.push(unit)
  return parts.join('; ')
}

function shownDefault(one: Declared): string {
  return one.defaultText === undefined ? '' : isSecret(one.id, one) && one.defaultText !== '' ? MASK : one.defaultText
}

export function describeMarkdown(sorted: readonly Declared[]): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')
  const rows = sorted.map((one) => {
    const formerly = one.deprecatedKeys === undefined || one.deprecatedKeys.length === 0 ? '' : `Formerly ${one.deprecatedKeys.map((key) => `\`${key}\``).join(', ')}.`
    const notes = [one.doc ?? '', one.secret === true ? 'Secret.' : '', one.immutable === true ? 'Fixed once read.' : '', formerly]
    const code = shownDefault(one) === '' ? '' : `\`${cell(shownDefault(one))}\``
    return `| \`${cell(one.key)}\` | ${one.type} | ${code} | ${cell(bounds(one))} | ${cell(notes.filter((note) => note !== '').join(' '))} |`
  })
  return ['| Parameter | Type | Default | Allowed | |', '|---|---|---|---|---|', ...rows, ''].join('\n')
}
