/** What became of the commits within flushes, by client: flushes that fail afterwards do not tell. */
import type { NodeCore } from '../../src/node/core.ts'
import type { Staging } from '../../src/staging/staging.ts'

export class CommitWatch {
  readonly #committed = new Set<string>()

  watch(core: NodeCore): NodeCore {
    const { staging } = core
    const flush: Staging['flush'] = async (client, ...rest) => {
      const ts = await staging.flush(client, ...rest)
      if (ts > 0n) this.#committed.add(client.split('~')[0] as string)
      return ts
    }
    return { ...core, staging: replaced(staging, { flush }) }
  }

  /** Of the last flush of this client. */
  take(client: string): boolean {
    return this.#committed.delete(client)
  }
}

/** The same object with some methods replaced. */
export function replaced<T extends object>(target: T, methods: Partial<T>): T {
  return new Proxy(target, {
    get(_target, property) {
      const own: unknown = Reflect.get(methods, property)
      const value: unknown = own ?? Reflect.get(target, property, target)
      return typeof value === 'function' ? (...args: unknown[]): unknown => Reflect.apply(value, target, args) : value
    },
  })
}
