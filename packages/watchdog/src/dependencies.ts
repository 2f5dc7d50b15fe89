/** Who needs whom. */
import { checkName } from './arguments.ts'

interface Node {
  readonly id: string
  readonly dependsOn?: readonly string[] | undefined
}

/** Each after those it depends on, else as listed. @throws {TypeError} for a double or unknown id, or a circle */
export function orderOf<T extends Node>(nodes: readonly T[]): T[] {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  if (byId.size !== nodes.length) throw new TypeError('expected the ids of components to differ')
  const state = new Map<string, 'open' | 'done'>()
  const order: T[] = []
  const visit = (node: T): void => {
    if (state.get(node.id) === 'done') return
    if (state.get(node.id) === 'open') throw new TypeError(`expected dependencies without a circle, "${node.id}" depends on itself`)
    state.set(node.id, 'open')
    for (const id of node.dependsOn ?? []) {
      const other = byId.get(checkName('dependsOn', id))
      if (other === undefined) throw new TypeError(`"${node.id}" depends on "${id}", which is not among the components`)
      visit(other)
    }
    state.set(node.id, 'done')
    order.push(node)
  }
  for (const node of nodes) visit(node)
  return order
}

/** Those that need `id`, over any number of steps; where nobody names any dependency: those after it. */
export function dependentsOf(id: string, ordered: readonly Node[]): Set<string> {
  if (!ordered.some(({ dependsOn }) => dependsOn !== undefined)) {
    return new Set(ordered.slice(ordered.findIndex((node) => node.id === id) + 1).map((node) => node.id))
  }
  const found = new Set([id])
  for (const node of ordered) if (node.dependsOn?.some((other) => found.has(other)) === true) found.add(node.id)
  found.delete(id)
  return found
}
