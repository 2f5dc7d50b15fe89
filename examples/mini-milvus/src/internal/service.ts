/**
 * Typed services over a transport, from one table: the table names the methods, and how long each may take; the types are those of the
 * interface that both sides know. In one process the object itself is called instead.
 */
import { decodePlain, encodePlain } from './codec.ts'
import { RpcError } from './errors.ts'
import type { Transport, TransportServer } from './transport.ts'
import { decodeError, encodeError } from './wire-errors.ts'

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
  /** Instead of the method's own. */
  readonly timeoutMs?: number | undefined
}

/** Of every method: plain data both ways. */
export type ServiceMethod = (request: never, options?: CallOptions) => Promise<unknown>

export interface ServiceDefinition<Api> {
  readonly name: string
  /** Timeout of each method. */
  readonly methods: { readonly [Name in keyof Api & string]: { readonly timeoutMs: number } }
}

type Handler = (request: unknown, options: CallOptions) => Promise<unknown>

/** What a process serves; services may be added until it is opened. */
export class ServiceTable {
  readonly #handlers = new Map<string, Handler>()
  #isOpen = true

  add<Api extends { readonly [Name in keyof Api]: ServiceMethod }>(definition: ServiceDefinition<Api>, implementation: Api): void {
    for (const name of Object.keys(definition.methods) as (keyof Api & string)[]) {
      const method = (implementation[name] as unknown as Handler).bind(implementation)
      this.#handlers.set(`${definition.name}/${name}`, method)
    }
  }

  /** New calls are refused from now on: they were surely not done. */
  stop(): void {
    this.#isOpen = false
  }

  listen(transport: Pick<Transport, 'serve'>): Promise<TransportServer> {
    return transport.serve([...this.#handlers.keys()], (path, request, signal) => this.#serve(path, request, signal))
  }

  async #serve(path: string, request: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    try {
      if (!this.#isOpen) throw new RpcError('RPC_CLOSED', 'the process is stopping', { outcome: 'not-applied' })
      const handler = this.#handlers.get(path)
      if (handler === undefined) throw new RpcError('RPC_UNKNOWN_METHOD', `${path.slice(0, 200)} is not served here`, { outcome: 'not-applied' })
      return encodePlain({ ok: await handler(decodePlain(request), { signal }) })
    } catch (error) {
      return encodePlain({ error: encodeError(error) })
    }
  }
}

/** @param address asked for each call */
export function createClient<Api extends { readonly [Name in keyof Api]: ServiceMethod }>(definition: ServiceDefinition<Api>, transport: Pick<Transport, 'call'>, address: () => string): Api {
  const methods = Object.entries(definition.methods) as [keyof Api & string, { readonly timeoutMs: number }][]
  return Object.fromEntries(
    methods.map(([name, { timeoutMs }]) => {
      const path = `${definition.name}/${name}`
      return [name, async (request: unknown, options: CallOptions = {}) => {
        options.signal?.throwIfAborted()
        const reply = decodePlain(await transport.call(address(), path, encodePlain(request), { signal: options.signal, timeoutMs: options.timeoutMs ?? timeoutMs }))
        if (typeof reply !== 'object' || reply === null) throw new RpcError('RPC_MALFORMED', `${path} gave no reply`, { outcome: 'unknown' })
        if ('error' in reply) throw decodeError(reply.error)
        return 'ok' in reply ? reply.ok : undefined
      }]
    }),
  ) as unknown as Api
}
