/** Values as people read them. 64 bit numbers come as text and stay exact. */
export function count(value: unknown): string {
  const text = typeof value === 'number' || typeof value === 'string' ? String(value) : ''
  if (!/^\d+$/.test(text)) return '–'
  return text.replace(/\B(?=(\d{3})+$)/g, ' ')
}

/** `12.3 k` of the exact count, which belongs into a tooltip. */
export function roughly(value: number): string {
  for (const [unit, size] of [['G', 1e9], ['M', 1e6], ['k', 1e3]] as const) if (value >= size) return `${(value / size).toPrecision(3)} ${unit}`
  return String(Math.round(value * 100) / 100)
}

/** Of memory or disk. */
export function bytes(value: unknown): string {
  const size = typeof value === 'string' ? Number(value) : value
  if (typeof size !== 'number' || !Number.isFinite(size)) return '–'
  for (const [unit, one] of [['GiB', 2 ** 30], ['MiB', 2 ** 20], ['KiB', 1024]] as const) if (size >= one) return `${(size / one).toPrecision(3)} ${unit}`
  return `${size} B`
}

export function age(ms: number): string {
  if (ms < 1500) return 'now'
  for (const [unit, size] of [['d', 86_400_000], ['h', 3_600_000], ['min', 60_000], ['s', 1000]] as const) if (ms >= size) return `${Math.floor(ms / size)} ${unit}`
  return 'now'
}

/** Made once: each costs as much as a whole row of a table. */
const moments = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })

/** A hybrid timestamp (46 bits of ms, 18 of a counter) or ms, as text. */
export function moment(value: unknown): string {
  if (typeof value !== 'string' || !/^\d{1,20}$/.test(value)) return '–'
  const big = BigInt(value)
  const ms = Number(big > 10n ** 15n ? big >> 18n : big)
  return ms > 0 ? moments.format(ms) : '–'
}

export function text(value: unknown): string {
  if (value === undefined || value === null || value === '') return '–'
  return typeof value === 'string' ? value : typeof value === 'object' ? JSON.stringify(value) : String(value)
}

export function at(row: Readonly<Record<string, unknown>>, path: string): unknown {
  return path.split('.').reduce<unknown>((value, part) => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[part] : undefined), row)
}
