/** The members of a JSON object as text, so that a merge keeps numbers and the order of keys exactly as they were written. */

/** Keys and the text of their values, of text that is a valid JSON object; of anything else, nothing. */
export function jsonMembers(text: string): Map<string, string> {
  const members = new Map<string, string>()
  let at = text.indexOf('{') + 1
  if (at === 0 || text.slice(0, at - 1).trim() !== '') return members
  for (;;) {
    const keyStart = text.indexOf('"', at)
    if (keyStart < 0) return members
    const keyEnd = stringEnd(text, keyStart)
    const valueStart = text.indexOf(':', keyEnd) + 1
    const valueEnd = endOfValue(text, valueStart)
    if (valueStart === 0) return members
    members.set(JSON.parse(text.slice(keyStart, keyEnd)) as string, text.slice(valueStart, valueEnd).trim())
    at = valueEnd
  }
}

/** `over` on top of `under`: the members of both, those of `over` where both have one. */
export function mergeJsonObjects(under: string, over: string): string {
  const merged = jsonMembers(under)
  for (const [key, value] of jsonMembers(over)) merged.set(key, value)
  return `{${[...merged].map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`
}

/** Just behind the closing quote of the string that begins at `start`. */
function stringEnd(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

/** The comma or brace behind a value. */
function endOfValue(text: string, start: number): number {
  let depth = 0
  for (let at = start; at < text.length; at++) {
    const char = text[at]
    if (char === '"') at = stringEnd(text, at) - 1
    else if (char === '{' || char === '[') depth++
    else if ((char === '}' || char === ']') && depth-- === 0) return at
    else if (char === ',' && depth === 0) return at
  }
  return text.length
}
