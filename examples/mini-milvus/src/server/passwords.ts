/** Hashing and checking passwords, a few at a time: each takes 32 MB and some 100 ms of a processor. */
import { hashPassword, verifyPassword } from '../edge/passwords.ts'
import type { PasswordHash } from '../model/password-hash.ts'
import { DEFAULT_ROOT_PASSWORD, ROOT_USER, type UserMeta } from '../model/rbac.ts'
import { Code, MilvusError } from './status.ts'

export interface PasswordsOptions {
  /** Hashed at once. @default 4 */
  readonly maxRunning?: number | undefined
  /** That wait for it; beyond them callers get status 8 and may retry. @default 64 */
  readonly maxWaiting?: number | undefined
}

export class Passwords {
  readonly #maxRunning: number
  readonly #maxWaiting: number
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor({ maxRunning = 4, maxWaiting = 64 }: PasswordsOptions = {}) {
    this.#maxRunning = maxRunning
    this.#maxWaiting = maxWaiting
  }

  hash(password: string): Promise<PasswordHash> {
    return this.limited(() => hashPassword(password))
  }

  /** Of no user it costs the same, and is false. */
  verify(password: string, user: UserMeta | undefined): Promise<boolean> {
    return this.limited(() => isRight(password, user))
  }

  /** Runs when it is its turn. */
  async limited<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#maxRunning) {
      if (this.#waiting.length >= this.#maxWaiting) throw new MilvusError(Code.RateLimit, 'too many clients sign in at once: retry later')
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    } else this.#running++
    try {
      return await work()
    } finally {
      // Its place passes to the next one that waits.
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next()
    }
  }
}

/** Root's password is hashed the first time that authorization is on; until then it is Milvus's. */
export function isUnhashedRoot(user: UserMeta | undefined): boolean {
  return user?.name === ROOT_USER && user.password === ''
}

/** Not limited; for work that is already. */
export async function isRight(password: string, user: UserMeta | undefined): Promise<boolean> {
  return isUnhashedRoot(user) ? password === DEFAULT_ROOT_PASSWORD : verifyPassword(password, user?.password)
}
