/** Passwords and tokens: what needs the machine's cryptography and randomness. */
import { createHmac, randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { formatPasswordHash, parsePasswordHash, type PasswordHash, SCRYPT } from '../model/password-hash.ts'

const MAX_MEMORY = 64 * 1024 * 1024

/** Some 100 ms on a thread of the process's pool; 32 MB. */
export async function hashPassword(password: string): Promise<PasswordHash> {
  const salt = randomBytes(SCRYPT.saltBytes)
  return formatPasswordHash(salt.toString('base64'), (await derive(password, salt)).toString('base64'))
}

/** Costs the same whether the password is right, wrong, or there is no such user (`undefined`). */
export async function verifyPassword(password: string, stored: PasswordHash | undefined): Promise<boolean> {
  const parsed = stored === undefined ? undefined : parsePasswordHash(stored)
  const salt = parsed === undefined ? Buffer.alloc(SCRYPT.saltBytes) : Buffer.from(parsed.salt, 'base64')
  const derived = await derive(password, salt)
  const expected = parsed === undefined ? Buffer.alloc(SCRYPT.hashBytes) : Buffer.from(parsed.hash, 'base64')
  return timingSafeEqual(derived, expected) && parsed !== undefined
}

function derive(password: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const { N, r, p, hashBytes } = SCRYPT
    scrypt(password, salt, hashBytes, { N, r, p, maxmem: MAX_MEMORY }, (error, key) => (error === null ? resolve(key) : reject(error)))
  })
}

/** Names tokens in memory by something that says nothing about them. */
export function createTokenNamer(): (token: string) => string {
  const key = randomBytes(32)
  return (token) => createHmac('sha256', key).update(token).digest('base64')
}
