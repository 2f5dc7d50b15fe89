/** Who calls, from the credentials of a call. Right ones cost a hash of the token; others a hash of the password, and time. */
import { createTokenNamer } from '../edge/passwords.ts'
import type { UserMeta } from '../model/rbac.ts'
import { AuthenticationError } from './auth-errors.ts'
import { type Credentials, parseAuthorization } from './credentials.ts'
import { isRight, type Passwords } from './passwords.ts'
import { FailureThrottle } from './throttle.ts'

export interface AuthenticatorOptions {
  readonly findUser: (name: string) => UserMeta | undefined
  readonly passwords: Passwords
  readonly clock: { monotonic(): number }
  /** How long a token that was right is known without computing its hash again. */
  readonly rememberMs?: number | undefined
}

interface Remembered {
  readonly user: string
  /** Of the user when the token was right: another one since means another password. */
  readonly password: string
  readonly until: number
}

const MAX_REMEMBERED = 10_000
const WRONG = 'auth check failure, please check username and password are correct'

export class Authenticator {
  readonly #options: Pick<AuthenticatorOptions, 'findUser' | 'passwords' | 'clock'>
  readonly #rememberMs: number
  readonly #nameOf = createTokenNamer()
  readonly #remembered = new Map<string, Remembered>()
  readonly #checking = new Map<string, Promise<string>>()
  readonly #throttle: FailureThrottle

  constructor({ rememberMs = 60_000, ...options }: AuthenticatorOptions) {
    this.#options = options
    this.#rememberMs = rememberMs
    this.#throttle = new FailureThrottle({ now: () => options.clock.monotonic() })
  }

  /** The user's name. @param peer `address:port` of the connection. Throws, or rejects with, AuthenticationError. */
  userOf(authorization: string | undefined, peer: string): string | Promise<string> {
    if (authorization === undefined || authorization === '') throw new AuthenticationError('missing authorization in header')
    const token = this.#nameOf(authorization)
    const known = this.#remembered.get(token)
    if (known !== undefined && this.#isCurrent(known)) return known.user
    const credentials = parseAuthorization(authorization)
    if (credentials.kind === 'malformed') throw new AuthenticationError('invalid token format')
    if (credentials.kind === 'key') throw new AuthenticationError('auth check failure, please check api key is correct')
    // From one address the same token is checked once however many ask at the same time.
    const address = addressOf(peer)
    const question = `${token} ${address}`
    const checking = this.#checking.get(question) ?? this.#check(token, credentials, address).finally(() => this.#checking.delete(question))
    this.#checking.set(question, checking)
    return checking
  }

  #isCurrent({ user, password, until }: Remembered): boolean {
    return this.#options.clock.monotonic() < until && this.#options.findUser(user)?.password === password
  }

  async #check(token: string, { user, password }: Extract<Credentials, { kind: 'password' }>, address: string): Promise<string> {
    const key = `${address} ${user}`
    const stored = await this.#options.passwords.limited(async () => {
      const delayMs = this.#throttle.delayMs(key)
      if (delayMs > 0) throw new AuthenticationError(`too many failed attempts, try again in ${Math.ceil(delayMs / 1000)} s`)
      const found = this.#options.findUser(user)
      if ((await isRight(password, found)) && found !== undefined) return found.password
      this.#throttle.failed(key)
      throw new AuthenticationError(WRONG)
    })
    this.#throttle.succeeded(key)
    this.#remember(token, { user, password: stored, until: this.#options.clock.monotonic() + this.#rememberMs })
    return user
  }

  #remember(token: string, entry: Remembered): void {
    this.#remembered.delete(token)
    this.#remembered.set(token, entry)
    for (const oldest of this.#remembered.keys()) {
      if (this.#remembered.size <= MAX_REMEMBERED) break
      this.#remembered.delete(oldest)
    }
  }
}

/** Without the port, which every connection has another one of. */
function addressOf(peer: string): string {
  const colon = peer.lastIndexOf(':')
  return colon < 0 ? peer : peer.slice(0, colon)
}
