/**
 * What a data node holds for a log that does not answer. An append counts until the log has answered it, whoever gave up on it meanwhile:
 * the log has its bytes as long. More than fits is refused, surely undone, so that it stays with the proxies, whose places are counted.
 */
import { RpcError } from '../internal/errors.ts'
import type { AppendRequest } from './apis.ts'

const MAX_BYTES = 64 * 1024 * 1024
/** What a record takes beside its body. */
const RECORD_BYTES = 512

export class AppendRoom {
  readonly #maxBytes: number
  #heldBytes = 0

  constructor(maxBytes = MAX_BYTES) {
    this.#maxBytes = maxBytes
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /** @param run must settle only when the log has answered. One append alone may be larger than all the room. */
  async hold<T>({ pchannel, records }: Pick<AppendRequest, 'pchannel' | 'records'>, run: () => Promise<T>): Promise<T> {
    const bytes = records.reduce((sum, { body }) => sum + body.length + RECORD_BYTES, 0)
    if (this.#heldBytes > 0 && this.#heldBytes + bytes > this.#maxBytes) {
      throw new RpcError('RPC_OVERLOADED', `the log of ${pchannel.slice(0, 200)} has not answered for ${this.#heldBytes} bytes yet`, { outcome: 'not-applied' })
    }
    this.#heldBytes += bytes
    try {
      return await run()
    } finally {
      this.#heldBytes -= bytes
    }
  }
}
