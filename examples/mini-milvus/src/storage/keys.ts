const MAX_KEY_BYTES = 1024

/** Throws unless `key` is one that every kind of storage can hold and that stays inside its root. */
export function checkKey(key: string): void {
  if (typeof key !== 'string') throw new TypeError(`expected \`key\` to be a string, got ${typeof key}`)
  if (key.length === 0 || key.length > MAX_KEY_BYTES) {
    throw new RangeError(`expected \`key\` to have 1..${MAX_KEY_BYTES} characters, got ${key.length}`)
  }
  if (!isSafe(key) || key.split('/').some((part) => part === '' || part.startsWith('.'))) throw badKey('key', key)
}

/** As {@link checkKey}; a prefix may be empty and may end inside a name or with a slash. */
export function checkPrefix(prefix: string): void {
  if (typeof prefix !== 'string') throw new TypeError(`expected \`prefix\` to be a string, got ${typeof prefix}`)
  if (prefix.length > MAX_KEY_BYTES)
    throw new RangeError(`expected \`prefix\` to have 0..${MAX_KEY_BYTES} characters, got ${prefix.length}`)
  const parts = prefix.split('/')
  if (!isSafe(prefix) || parts.some((part, i) => part.startsWith('.') || (part === '' && i < parts.length - 1))) {
    throw badKey('prefix', prefix)
  }
}

/** Throws unless these are whole numbers that a file can have. */
export function checkRange(offset: number, length: number): void {
  for (const [name, value] of [
    ['offset', offset],
    ['length', length],
  ] as const) {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`expected \`${name}\` to be a whole number from 0, got ${String(value)}`)
    }
  }
}

function isSafe(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x20 || unit === 0x5c || unit === 0x3a || unit === 0x7f || (unit >= 0xd800 && unit <= 0xdfff)) return false
  }
  return true
}

function badKey(name: string, value: string): RangeError {
  return new RangeError(`expected \`${name}\` to be a relative path of plain names, got ${JSON.stringify(value)}`)
}
