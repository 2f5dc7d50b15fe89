/** Pulsar's REST API. */
import { MsgStreamError } from '../errors.ts'
import type { PulsarEntry, PulsarState } from './transport.ts'

export interface WebTransportOptions {
  /** `http:` or `https:`. */
  readonly url: string
  readonly tenant: string
  readonly namespace: string
  readonly token: string | undefined
  readonly timeoutMs: number
}

interface InternalStats {
  readonly lastConfirmedEntry: string
  readonly ledgers: readonly { readonly ledgerId: number; readonly entries: number }[]
}

/** What is asked by REST, whoever carries the messages. */
export class PulsarRest {
  readonly #options: WebTransportOptions
  protected readonly headers: Record<string, string>

  constructor(options: WebTransportOptions) {
    this.#options = options
    this.headers = options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }
  }

  protected get space(): string {
    return `persistent/${this.#options.tenant}/${this.#options.namespace}`
  }

  async #call(method: string, path: string, accepted: readonly number[]): Promise<Response> {
    const { url, timeoutMs } = this.#options
    const what = `${method} ${path}`
    const isWrite = method !== 'GET'
    let response: Response
    try {
      response = await fetch(`${url}/admin/v2/${path}`, { method, headers: this.headers, signal: AbortSignal.timeout(timeoutMs) })
      if (accepted.includes(response.status)) return response
    } catch (cause) {
      throw new MsgStreamError('MSG_UNAVAILABLE', `${what}: no answer`, { cause, outcome: isWrite ? 'unknown' : undefined })
    }
    const reason = (await response.text().catch(() => '')).slice(0, 300)
    if (response.status === 404) throw new MsgStreamError('MSG_CHANNEL_NOT_FOUND', `${what}: ${reason}`, { outcome: isWrite ? 'not-applied' : undefined })
    throw new MsgStreamError('MSG_UNAVAILABLE', `${what}: ${response.status} ${reason}`, { outcome: isWrite ? 'not-applied' : undefined, retryable: response.status >= 500 || response.status === 412 })
  }

  async topics(): Promise<string[]> {
    const names = (await (await this.#call('GET', this.space, [200])).json()) as string[]
    return names.map((name) => decodeURIComponent(name.slice(name.lastIndexOf('/') + 1)))
  }

  async create(topic: string): Promise<void> {
    await (await this.#call('PUT', `${this.space}/${topic}`, [200, 204, 409])).arrayBuffer()
  }

  async remove(topic: string): Promise<void> {
    await (await this.#call('DELETE', `${this.space}/${topic}?force=true`, [200, 204, 404])).arrayBuffer()
  }

  async state(topic: string): Promise<PulsarState> {
    const stats = (await (await this.#call('GET', `${this.space}/${topic}/internalStats`, [200])).json()) as InternalStats
    const [ledger = 0, entry = -1] = stats.lastConfirmedEntry.split(':').map(Number)
    const end = { ledger, entry }
    // The ledger that is being written says 0 entries.
    const filled = stats.ledgers.map((it) => ({ ledger: it.ledgerId, entries: it.ledgerId === ledger ? entry + 1 : it.entries })).filter((it) => it.entries > 0)
    const first = filled[0]
    const last = filled.at(-1)
    return {
      first: first === undefined ? undefined : { ledger: first.ledger, entry: 0 },
      last: last === undefined ? undefined : { ledger: last.ledger, entry: last.entries - 1 },
      end,
      firstLedger: stats.ledgers[0]?.ledgerId ?? ledger,
    }
  }

  async payload(topic: string, { ledger, entry }: PulsarEntry): Promise<Buffer> {
    return Buffer.from(await (await this.#call('GET', `${this.space}/${topic}/ledger/${ledger}/entry/${entry}`, [200])).arrayBuffer())
  }
}
