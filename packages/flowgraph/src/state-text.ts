/** State of nodes as JSON text; bigints are kept. */
const MARK = 'bigint:'

export function toText(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    typeof item === 'bigint' ? `${MARK}${item}` : typeof item === 'string' && item.startsWith(MARK) ? `${MARK}${item}` : item,
  )
}

export function fromText<T>(text: string): T {
  return JSON.parse(text, (_, item: unknown) => {
    if (typeof item !== 'string' || !item.startsWith(MARK)) return item
    const rest = item.slice(MARK.length)
    return /^-?\d+$/.test(rest) ? BigInt(rest) : rest
  }) as T
}
