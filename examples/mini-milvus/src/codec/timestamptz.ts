/** Timestamptz: microseconds since 1970 UTC, as ISO 8601 / RFC 3339 text on the wire (Milvus's rule), in the years 1 to 9999. */

/** An ISO 8601 duration: months are calendar months, the rest is exact. */
export interface Interval {
  readonly months: number
  readonly micros: bigint
}

const MICROS_A_DAY = 86_400_000_000n
const MIN_MICROS = -62_135_596_800_000_000n
const MAX_MICROS = 253_402_300_799_999_999n

const PATTERN =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s?(Z|z|[+-]\d{2}(?::?\d{2})?)?)?$/

const DURATION = /^([+-])?P(?:(\d{1,6})Y)?(?:(\d{1,6})M)?(?:(\d{1,6})W)?(?:(\d{1,7})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,12})(?:\.(\d{1,6}))?S)?)?$/i

/** Microseconds, or undefined where the text is no such time. Text without an offset is UTC. */
export function parseTimestamptz(text: string): bigint | undefined {
  if (text.length > 64) return undefined
  const match = PATTERN.exec(text)
  if (match === null) return undefined
  const [year, month, day, hour, minute, second] = [1, 2, 3, 4, 5, 6].map((group) => Number(match[group] ?? 0))
  if (year === undefined || month === undefined || day === undefined || hour === undefined || minute === undefined || second === undefined) return undefined
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month) || hour > 23 || minute > 59 || second > 59) return undefined
  const offsetMinutes = zoneMinutes(match[8])
  if (offsetMinutes === undefined) return undefined
  const seconds = BigInt(hour * 3600 + minute * 60 + second - offsetMinutes * 60)
  const fraction = BigInt((match[7] ?? '').padEnd(6, '0').slice(0, 6))
  const micros = BigInt(daysFromCivil(year, month, day)) * MICROS_A_DAY + seconds * 1_000_000n + fraction
  return isTimestamptz(micros) ? micros : undefined
}

export function isTimestamptz(micros: bigint): boolean {
  return micros >= MIN_MICROS && micros <= MAX_MICROS
}

/** RFC 3339 in UTC, with as many digits of the second as there are: `2025-01-01T00:00:00Z`. */
export function formatTimestamptz(micros: bigint): string {
  const days = floorDiv(micros, MICROS_A_DAY)
  const rest = Number(micros - days * MICROS_A_DAY)
  const [year, month, day] = civilFromDays(Number(days))
  const seconds = Math.floor(rest / 1e6)
  const fraction = rest % 1e6 === 0 ? '' : `.${String(rest % 1e6).padStart(6, '0').replace(/0+$/, '')}`
  const clock = `${pad(Math.floor(seconds / 3600))}:${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}`
  return `${pad(year, 4)}-${pad(month)}-${pad(day)}T${clock}${fraction}Z`
}

export function parseInterval(text: string): Interval | undefined {
  const match = DURATION.exec(text)
  if (match === null || !/\d/.test(text) || /T$/i.test(text)) return undefined
  const part = (group: number) => Number(match[group] ?? 0)
  const days = part(4) * 7 + part(5)
  const seconds = BigInt(part(6)) * 3600n + BigInt(part(7)) * 60n + BigInt(part(8))
  const micros = BigInt(days) * MICROS_A_DAY + seconds * 1_000_000n + BigInt((match[9] ?? '').padEnd(6, '0'))
  const months = part(2) * 12 + part(3)
  return match[1] === '-' ? { months: -months, micros: -micros } : { months, micros }
}

/** Adds calendar months first (a day past the month's end becomes its last day), then the exact part. */
export function addInterval(micros: bigint, interval: Interval, sign: 1 | -1): bigint {
  const exact = sign === 1 ? interval.micros : -interval.micros
  if (interval.months === 0) return micros + exact
  const days = floorDiv(micros, MICROS_A_DAY)
  const [year, month, day] = civilFromDays(Number(days))
  const total = year * 12 + (month - 1) + interval.months * sign
  const newYear = Math.floor(total / 12)
  const newMonth = total - newYear * 12 + 1
  const newDay = Math.min(day, daysInMonth(newYear, newMonth))
  return BigInt(daysFromCivil(newYear, newMonth, newDay)) * MICROS_A_DAY + (micros - days * MICROS_A_DAY) + exact
}

function zoneMinutes(zone: string | undefined): number | undefined {
  if (zone === undefined || zone === 'Z' || zone === 'z') return 0
  const hours = Number(zone.slice(1, 3))
  const minutes = zone.length > 3 ? Number(zone.slice(-2)) : 0
  if (hours > 18 || minutes > 59) return undefined
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes)
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

/** Days since 1970-01-01 of a proleptic Gregorian date; the year is taken to begin in March, so that leap days come last. */
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
}

function civilFromDays(days: number): [year: number, month: number, day: number] {
  const z = days + 719_468
  const era = Math.floor(z / 146_097)
  const dayOfEra = z - era * 146_097
  const yearOfEra = Math.floor((dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365)
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shifted = Math.floor((5 * dayOfYear + 2) / 153)
  const month = shifted < 10 ? shifted + 3 : shifted - 9
  return [yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1]
}

function floorDiv(value: bigint, by: bigint): bigint {
  const quotient = value / by
  return value % by < 0n ? quotient - 1n : quotient
}

function pad(value: number, width = 2): string {
  return String(value).padStart(width, '0')
}
