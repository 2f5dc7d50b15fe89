/** Credentials, guesses, and what a right password costs. */
import { describe, expect, it } from 'vitest'
import { hashPassword, verifyPassword } from '../../src/edge/passwords.ts'
import { parsePasswordHash } from '../../src/model/password-hash.ts'
import type { UserMeta } from '../../src/model/rbac.ts'
import { Authenticator } from '../../src/server/authenticator.ts'
import { parseAuthorization } from '../../src/server/credentials.ts'
import { Passwords } from '../../src/server/passwords.ts'
import { FailureThrottle } from '../../src/server/throttle.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const user = async (name: string, password: string): Promise<UserMeta> => ({ name, password: await hashPassword(password), description: '', roles: [] })

describe('the authorization header', () => {
  it('is read in each of its forms', () => {
    const known = { kind: 'password', user: 'ann', password: 'a:b' }
    for (const header of [base64('ann:a:b'), `Bearer ann:a:b`, `bearer  ann:a:b`, `Basic ${base64('ann:a:b')}`, base64('ann:a:b').replace(/=+$/, '')])
      expect([header, parseAuthorization(header)]).toEqual([header, known])
    expect(parseAuthorization('Bearer key')).toEqual({ kind: 'key' })
    expect(parseAuthorization(base64('key'))).toEqual({ kind: 'key' })
    for (const header of ['', '***', 'abcde', `Basic ${'*'}`, 'x'.repeat(2000), 'Digest abc', '\ud800']) expect([header, parseAuthorization(header).kind]).toEqual([header, 'malformed'])
  })
})

describe('a password hash', () => {
  it('is salted, verifies, and says nothing else', async () => {
    const [one, two] = await Promise.all([hashPassword('secret word'), hashPassword('secret word')])
    expect(one).not.toBe(two)
    expect(one).toMatch(/^scrypt\$32768\$8\$1\$/)
    expect(await verifyPassword('secret word', one)).toBe(true)
    expect(await verifyPassword('secret wore', one)).toBe(false)
    expect(await verifyPassword('secret word', undefined)).toBe(false)
  })

  it('is of this strength and no other', () => {
    const [salt, hash] = [Buffer.alloc(16).toString('base64'), Buffer.alloc(32).toString('base64')]
    expect(parsePasswordHash(`scrypt$32768$8$1$${salt}$${hash}`)).toEqual({ salt, hash })
    for (const text of ['', 'x', `scrypt$1073741824$8$1$${salt}$${hash}`, `scrypt$2$8$1$${salt}$${hash}`, `scrypt$32768$8$1$${salt}$`, `scrypt$32768$8$1$AA$${hash}`, `$2a$10$abc`])
      expect([text, parsePasswordHash(text)]).toEqual([text, undefined])
  })
})

describe('guesses', () => {
  it('S7: ten a minute are free, then each doubles the delay up to 30 s; a success forgets them', () => {
    let now = 0
    const throttle = new FailureThrottle({ now: () => now })
    const delays: number[] = []
    for (let i = 0; i < 18; i++) {
      throttle.failed('a')
      delays.push(throttle.delayMs('a'))
    }
    expect(delays).toEqual([...Array.from({ length: 9 }, () => 0), 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000])
    expect(throttle.delayMs('b')).toBe(0)
    now = 29_000
    expect(throttle.delayMs('a')).toBe(1000)
    throttle.succeeded('a')
    expect([throttle.delayMs('a'), throttle.size]).toEqual([0, 0])
    for (let i = 0; i < 9; i++) throttle.failed('c')
    now += 61_000
    throttle.failed('c')
    expect(throttle.delayMs('c')).toBe(0)
  })

  it('are remembered of so many users and addresses', () => {
    const throttle = new FailureThrottle({ now: () => 0, maxEntries: 100 })
    for (let i = 0; i < 10_000; i++) throttle.failed(`user ${i}`)
    expect(throttle.size).toBe(100)
  })
})

describe('signing in', () => {
  it('S6: hashes a password once a minute, and a wrong or unknown one each time', async () => {
    const ann = await user('ann', 'her password')
    let now = 0
    let hashes = 0
    class Counted extends Passwords {
      override limited<T>(work: () => Promise<T>): Promise<T> {
        hashes++
        return super.limited(work)
      }
    }
    const authenticator = new Authenticator({ findUser: (name) => (name === 'ann' ? ann : undefined), passwords: new Counted(), clock: { monotonic: () => now } })
    const token = base64('ann:her password')
    const many = await Promise.all(Array.from({ length: 50 }, async () => authenticator.userOf(token, '127.0.0.1:5000')))
    expect([new Set(many).size, hashes]).toEqual([1, 1])
    expect(authenticator.userOf(token, '10.0.0.9:1')).toBe('ann')
    now = 60_001
    expect(await authenticator.userOf(token, '127.0.0.1:5000')).toBe('ann')
    expect(hashes).toBe(2)
    for (const wrong of ['ann:his password', 'bob:her password', 'ann:']) await expect(authenticator.userOf(base64(wrong), '127.0.0.1:1')).rejects.toThrow(/check username and password/)
    expect(hashes).toBe(5)
  })

  it('S7: refuses further guesses of a user from an address without looking, and lets others in', async () => {
    const ann = await user('ann', 'her password')
    let now = 0
    const authenticator = new Authenticator({ findUser: (name) => (name === 'ann' ? ann : undefined), passwords: new Passwords(), clock: { monotonic: () => now } })
    for (let i = 0; i < 10; i++) await expect(authenticator.userOf(base64(`ann:guess ${i}`), '10.1.1.1:9')).rejects.toThrow(/check username/)
    await expect(authenticator.userOf(base64('ann:her password'), '10.1.1.1:10')).rejects.toThrow(/too many failed attempts, try again in 1 s/)
    expect(await authenticator.userOf(base64('ann:her password'), '10.1.1.2:10')).toBe('ann')
    now = 1001
    expect(await authenticator.userOf(base64('ann:her password'), '10.1.1.1:10')).toBe('ann')
  })

  it('S6: hashes four at a time; beyond those that may wait, clients are asked to retry', async () => {
    const passwords = new Passwords({ maxRunning: 4, maxWaiting: 2 })
    let running = 0
    let most = 0
    const release: (() => void)[] = []
    const work = (): Promise<void> => {
      most = Math.max(most, ++running)
      return new Promise<void>((resolve) => release.push(resolve)).finally(() => running--)
    }
    const six = Array.from({ length: 6 }, () => passwords.limited(work))
    await expect(passwords.limited(work)).rejects.toMatchObject({ code: 8, legacy: 49 })
    for (let done = 0; done < 6; done++) {
      while (release.length === 0) await Promise.resolve()
      release.shift()?.()
    }
    await Promise.all(six)
    expect(most).toBe(4)
  })
})
