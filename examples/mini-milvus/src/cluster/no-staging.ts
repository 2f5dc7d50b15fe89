/** A cluster stages nothing: what a client has not flushed would be known to one of its proxies alone. So nothing can ask for rule `flush`. */
import { Code, MilvusError } from '../server/status.ts'
import { settingOf, visibilityOption } from '../clients/rules.ts'
import type { AnyHandler, CallContext, HandlerTable, RpcName } from '../server/handlers.ts'
import type { Staging } from '../staging/staging.ts'

export function createNoStaging(): Staging {
  return {
    checkPartial: async () => undefined,
    stage: () => Promise.reject(refused()),
    flush: async () => 0n,
    discard() {},
    discardCollection() {},
    hasWork: () => false,
    lastCommit: () => 0n,
    alone: (work) => work(),
    whileStill: (_collectionIds, work) => work(),
    settled: () => undefined,
    stats: () => [],
    totals: () => ({ clients: 0, rows: 0, bytes: 0, spilledBytes: 0, commits: 0, committedRows: 0, discards: 0, discardedRows: 0 }),
    close: async () => undefined,
  }
}

function refused(): MilvusError {
  return new MilvusError(Code.Unimplemented, 'visibility flush is served by a node that is alone, not by a cluster')
}

const NAMES_A_RULE: readonly RpcName[] = ['CreateDatabase', 'AlterDatabase', 'CreateCollection', 'AlterCollection']

interface Asking {
  readonly properties?: readonly { readonly key: string; readonly value: string }[]
  readonly client_info?: { readonly reserved?: Readonly<Record<string, string>> } | null
}

/** Whoever asks for the rule, as a property or for a connection, hears so at once, and not with the first write. */
export function refusingFlush(handlers: HandlerTable): HandlerTable {
  const refusing = (handler: AnyHandler | undefined, asks: (request: Asking) => boolean): AnyHandler | undefined => {
    if (handler === undefined) return undefined
    const run = handler.run.bind(handler) as (request: object, call: CallContext) => Promise<object>
    return {
      ...handler,
      async run(request: never, call: CallContext): Promise<object> {
        if (asks(request)) throw refused()
        return run(request, call)
      },
    }
  }
  const setsFlush = ({ properties = [] }: Asking): boolean => settingOf(Object.fromEntries(properties.map(({ key, value }) => [key, value]))) === 'flush'
  return {
    ...handlers,
    ...Object.fromEntries(NAMES_A_RULE.map((rpc) => [rpc, refusing(handlers[rpc], setsFlush)])),
    Connect: refusing(handlers.Connect, ({ client_info }) => visibilityOption(client_info?.reserved ?? {}) === 'flush'),
  }
}
