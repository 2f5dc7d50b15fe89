/** Where values come from, from strongest to weakest, and what one layer says about a key. */

import type { ParamType } from './declaration.ts'
import type { Variables } from './variables.ts'

/** runtime (`save`) > kv > flags > environment > file > default. Of two layers of one kind the later added is stronger. */
export const LAYER_KINDS = ['runtime', 'kv', 'flags', 'environment', 'file', 'default'] as const
export type LayerKind = (typeof LAYER_KINDS)[number]

/** One value in one layer. */
export interface LayerEntry {
  /** `undefined` hides what weaker layers say. */
  readonly value: string | undefined
  /** The same as JSON, where the text is that of an array. */
  readonly json?: string | undefined
  /** Where exactly, such as `milvus.yaml:3:5`; a function when that takes work. */
  readonly source: string | (() => string)
}

export interface Layer {
  readonly kind: LayerKind
  /** Tells layers of one kind apart; in messages. */
  readonly name: string
  /** By lower-case key. Never changed: a change is a new map. */
  readonly entries: ReadonlyMap<string, LayerEntry>
  /** Where the entries come from when they are variables. */
  readonly variables?: Variables | undefined
}

/** What one layer says of a parameter, and under which name: the present one, or an earlier one. */
export interface LayerHit {
  readonly layer: Layer
  readonly entry: LayerEntry
  readonly name: string
}

export function sourceOf(entry: LayerEntry): string {
  return typeof entry.source === 'string' ? entry.source : entry.source()
}

/** The text that counts for a parameter of this type. */
export function textFor(type: ParamType | undefined, { value, json }: LayerEntry): string | undefined {
  return type === 'json' && value !== undefined ? (json ?? value) : value
}

/** The stack of layers, strongest first. */
export class LayerStack {
  #layers: Layer[] = []

  get layers(): readonly Layer[] {
    return this.#layers
  }

  find(kind: LayerKind, name: string): Layer | undefined {
    return this.#layers.find((layer) => layer.kind === kind && layer.name === name)
  }

  /** The stack with this layer in place of the one of the same kind and name, or put before the others of its kind. */
  with(layer: Layer): LayerStack {
    const next = new LayerStack()
    const rank = LAYER_KINDS.indexOf(layer.kind)
    const at = this.#layers.findIndex((other) => other.kind === layer.kind && other.name === layer.name)
    if (at >= 0) next.#layers = this.#layers.with(at, layer)
    else {
      const before = this.#layers.findIndex((other) => LAYER_KINDS.indexOf(other.kind) >= rank)
      next.#layers = before < 0 ? [...this.#layers, layer] : this.#layers.toSpliced(before, 0, layer)
    }
    return next
  }

  without(kind: LayerKind, name: string): LayerStack {
    const next = new LayerStack()
    next.#layers = this.#layers.filter((layer) => layer.kind !== kind || layer.name !== name)
    return next
  }

  /** The strongest that has the key, or one of its earlier names. */
  resolve(id: string, oldIds: readonly string[]): LayerHit | undefined {
    for (const layer of this.#layers) {
      const hit = find(layer, id, oldIds)
      if (hit !== undefined) return hit
    }
    return undefined
  }

  /** All that have it, strongest first. */
  all(id: string, oldIds: readonly string[]): LayerHit[] {
    return this.#layers.flatMap((layer) => find(layer, id, oldIds) ?? [])
  }
}

function find(layer: Layer, id: string, oldIds: readonly string[]): LayerHit | undefined {
  const entry = layer.entries.get(id)
  if (entry !== undefined) return { layer, entry, name: id }
  for (const name of oldIds) {
    const old = layer.entries.get(name)
    if (old !== undefined) return { layer, entry: old, name }
  }
  return undefined
}
