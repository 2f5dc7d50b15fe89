import { randomBytes } from 'node:crypto'

/** A name that nobody guesses: who has it is the session. */
export function newSessionId(): string {
  return randomBytes(16).toString('base64url')
}
