/** How a password is kept: `scrypt$<N>$<r>$<p>$<salt>$<hash>`, salt and hash in base64. */
export type PasswordHash = string & { readonly __passwordHash?: never }

/** Of every stored hash: 32 MB and some 100 ms to compute. */
export const SCRYPT = { N: 2 ** 15, r: 8, p: 1, saltBytes: 16, hashBytes: 32 } as const

const FORM = /^scrypt\$(\d+)\$(\d+)\$(\d+)\$([A-Za-z0-9+/]+={0,2})\$([A-Za-z0-9+/]+={0,2})$/

export function formatPasswordHash(salt: string, hash: string): PasswordHash {
  return `scrypt$${SCRYPT.N}$${SCRYPT.r}$${SCRYPT.p}$${salt}$${hash}`
}

/** Salt and hash in base64, or undefined for anything but a hash of this strength: none is computed with foreign parameters. */
export function parsePasswordHash(text: string): { readonly salt: string; readonly hash: string } | undefined {
  const [, n, r, p, salt, hash] = FORM.exec(text) ?? []
  if (salt === undefined || hash === undefined) return undefined
  if (Number(n) !== SCRYPT.N || Number(r) !== SCRYPT.r || Number(p) !== SCRYPT.p) return undefined
  return base64Bytes(salt) === SCRYPT.saltBytes && base64Bytes(hash) === SCRYPT.hashBytes ? { salt, hash } : undefined
}

function base64Bytes(text: string): number {
  return Math.floor((text.replaceAll('=', '').length * 3) / 4)
}
