/** No room on the disk: a state that passes, where nothing of what was asked is there. */
import { MsgStreamError } from '../errors.ts'

const noRoom = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** A write, and no sync, found no room: what is there can be taken back. */
export class DiskFull extends Error {
  readonly code: string

  constructor(cause: unknown, code: string) {
    super('no room on the disk', { cause })
    this.code = code
  }
}

/** For `catch` behind a write: throws {@link DiskFull} where that was the reason, else the error as it is. */
export function asDiskFull(error: unknown): never {
  const { code } = (error ?? {}) as { code?: unknown }
  throw !(error instanceof DiskFull) && typeof code === 'string' && noRoom.has(code) ? new DiskFull(error, code) : error
}

export function fullError(what: string, { cause, code }: DiskFull): MsgStreamError {
  return new MsgStreamError('MSG_FULL', `no room on the disk for ${what}: ${code}`, { cause, outcome: 'not-applied', details: { diskFull: true, code } })
}

/** The same as a public error. */
export async function orFull<T>(what: string, work: Promise<T>): Promise<T> {
  try {
    return await work.catch(asDiskFull)
  } catch (error) {
    throw error instanceof DiskFull ? fullError(what, error) : error
  }
}
