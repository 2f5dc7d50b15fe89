/** One engine for several users whose ids may be the same: each sees only its own vectors. */
import type { Engine } from './engine.ts'

export function namedEngine(engine: Engine, name: string): Engine {
  const own = (id: string): string => `${name}/${id}`
  const close = async (): Promise<void> => undefined
  return {
    addSet: (options) => engine.addSet({ ...options, id: own(options.id) }),
    dropSet: (id) => engine.dropSet(own(id)),
    attachIndex: (options) => engine.attachIndex({ ...options, setId: own(options.setId) }),
    detachIndex: (setId) => engine.detachIndex(own(setId)),
    search: (request) => engine.search({ ...request, setId: own(request.setId) }),
    searchMany: (requests, options) => engine.searchMany(requests.map((request) => ({ ...request, setId: own(request.setId) })), options),
    buildIndex: (options) => engine.buildIndex(options),
    sortColumn: (column, signal) => engine.sortColumn(column, signal),
    close,
    [Symbol.asyncDispose]: close,
  }
}
