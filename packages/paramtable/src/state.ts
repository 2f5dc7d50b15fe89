/** The state of a table: every change goes through here, is checked as a whole, swapped in as one step, and told. */
import { compareKeys, show } from './check.ts'
import type { ParamDeclaration } from './declaration.ts'
import { Declarations } from './declarations.ts'
import { variablesOf } from './environment.ts'
import { ParamError, problemsError } from './errors.ts'
import type { ParamProblem } from './errors.ts'
import { LayerStack, textFor } from './layers.ts'
import type { Layer, LayerEntry, LayerHit } from './layers.ts'
import type { GlobalParamsTableOptions } from './options.ts'
import { parseDeclared } from './parsers.ts'
import { ParamSnapshot } from './snapshot.ts'
import type { Resolved } from './snapshot.ts'
import { checkEntry } from './validate.ts'
import { Watchers } from './watchers.ts'

export class TableState {
  readonly strict: boolean
  readonly watchers: Watchers
  readonly #maxKeys: number
  declarations = new Declarations()
  stack = new LayerStack()
  snapshot = new ParamSnapshot()
  /** Somebody holds the present snapshot: the next change copies. */
  shared = false
  /** Immutable parameters that were read. */
  readonly pinned = new Set<string>()

  constructor(options: GlobalParamsTableOptions) {
    if (typeof options !== 'object' || options === null) throw new TypeError(`expected the options to be an object, got ${show(options)}`)
    const { declarations = [], strict = false, env, maxKeys = 100_000, onListenerError } = options
    if (typeof strict !== 'boolean') throw new TypeError(`expected \`strict\` to be a boolean, got ${show(strict)}`)
    if (!Number.isSafeInteger(maxKeys) || maxKeys < 1) throw new RangeError(`expected \`maxKeys\` to be a positive integer, got ${show(maxKeys)}`)
    if (!Array.isArray(declarations)) throw new TypeError(`expected \`declarations\` to be an array, got ${show(declarations)}`)
    this.strict = strict
    this.#maxKeys = maxKeys
    this.watchers = new Watchers((error) => onListenerError?.(error), (id) => this.declarations.oldIdsOf(id))
    if (env !== undefined) this.stack = this.stack.with({ kind: 'environment', name: 'environment', entries: new Map(), variables: variablesOf(env) })
    this.declare(declarations as readonly ParamDeclaration[])
  }

  declare(added: readonly ParamDeclaration[]): void {
    const before = this.declarations
    this.declarations = before.with(added)
    const { all } = this.declarations
    const entries = new Map<string, LayerEntry>()
    for (const { id, defaultText } of all) if (defaultText !== undefined) entries.set(id, { value: defaultText, source: 'default' })
    try {
      const stack = this.#withVariables(this.stack.with({ kind: 'default', name: 'default', entries }))
      this.#change(stack, [...all.flatMap(({ id, oldIds }) => [...oldIds, id]), ...changedKeys(this.stack, stack)], stack.layers)
    } catch (error) {
      this.declarations = before
      throw error
    }
    this.#renameRuntime()
  }

  /** All of them as one step. */
  setLayers(layers: readonly Layer[]): void {
    let { stack } = this
    for (const layer of layers) {
      if (layer.entries.size > this.#maxKeys) {
        throw new ParamError('PARAM_TOO_LARGE', `${layer.name}: expected at most ${this.#maxKeys} keys, got ${layer.entries.size}`, { outcome: 'not-applied' })
      }
      stack = stack.with(layer)
    }
    this.#swap(stack)
  }

  removeLayer(layer: Layer): void {
    this.#swap(this.stack.without(layer.kind, layer.name))
  }

  edit(name: string, entry: LayerEntry | undefined): void {
    const id = this.declarations.idOf(name)
    const old = this.stack.find('runtime', 'runtime')
    // The runtime layer is the only one that is changed in place: a copy for every save would be quadratic.
    const entries = (old?.entries ?? new Map()) as Map<string, LayerEntry>
    const previous = entries.get(id)
    if (entry === undefined ? previous === undefined : previous === undefined && entries.size >= this.#maxKeys) {
      if (entry === undefined) return
      throw new ParamError('PARAM_TOO_LARGE', `expected at most ${this.#maxKeys} keys`, { outcome: 'not-applied' })
    }
    const put = (value: LayerEntry | undefined): void => void (value === undefined ? entries.delete(id) : entries.set(id, value))
    put(entry)
    try {
      const layer: Layer = { kind: 'runtime', name: 'runtime', entries }
      const one: Layer = { ...layer, entries: new Map(entry === undefined ? [] : [[id, entry]]) }
      this.#change(old === undefined ? this.stack.with(layer) : this.stack, [id], [one])
    } catch (error) {
      put(previous)
      throw error
    }
  }

  /** What the layers say of a parameter, by any of its names, strongest first. */
  hits(name: string): LayerHit[] {
    const id = this.declarations.idOf(name)
    return this.stack.all(id, this.declarations.oldIdsOf(id))
  }

  #swap(next: LayerStack): void {
    const stack = this.#withVariables(next)
    this.#change(stack, changedKeys(this.stack, stack), newLayers(this.stack, stack))
  }

  /** The parameters that variables set depend on which ones are known: `ETCD_ROOT_PATH` may be etcd.rootPath. */
  #withVariables(stack: LayerStack): LayerStack {
    const layers = stack.layers.filter(({ variables }) => variables !== undefined)
    if (layers.length === 0) return stack
    const files = stack.layers.filter(({ kind, variables }) => kind === 'file' && variables === undefined)
    const known = [...files.flatMap((file) => [...file.entries.keys()]), ...this.declarations.all.flatMap(({ id, oldIds }) => [...oldIds, id])]
    const problems: ParamProblem[] = []
    let next = stack
    for (const layer of layers) next = next.with({ ...layer, entries: layer.variables?.entries(known, problems) ?? layer.entries })
    if (problems.length > 0) throw problemsError(problems)
    return next
  }

  /** Checks, swaps, tells. `names` are the keys that may differ, `checked` the layers that are new. */
  #change(stack: LayerStack, names: Iterable<string>, checked: readonly Layer[]): void {
    const problems: ParamProblem[] = []
    for (const layer of checked) {
      for (const [name, entry] of layer.entries) checkEntry(name, entry, this.declarations, this.strict, problems)
    }
    const updates = new Map<string, Resolved | undefined>()
    const ids = new Set<string>()
    for (const name of names) {
      const id = this.declarations.idOf(name)
      ids.add(id)
      // A name that became an earlier name of another parameter: its own value goes, before it shows the other's.
      if (id !== name && this.snapshot.get(name)?.id === name) updates.set(name, undefined)
    }
    for (const id of ids) updates.set(id, this.#resolve(stack, id))
    const changes = []
    for (const [key, resolved] of updates) {
      const [value, oldValue] = [resolved?.value, this.snapshot.load(key)]
      if (value === oldValue) continue
      changes.push({ key, value, oldValue })
      if (!this.pinned.has(key)) continue
      problems.push({ code: 'PARAM_IMMUTABLE', key, source: resolved?.kind ?? 'remove()', message: `\`${key}\` was read already and may not change` })
    }
    if (problems.length > 0) throw problemsError(problems)
    this.stack = stack
    this.snapshot = this.snapshot.next(updates, this.declarations, !this.shared)
    this.shared = false
    if (changes.length > 0) {
      changes.sort((a, b) => compareKeys(a.key, b.key))
      this.watchers.tell({ version: this.snapshot.version, changes })
    }
  }

  #resolve(stack: LayerStack, id: string): Resolved | undefined {
    const hit = stack.resolve(id, this.declarations.oldIdsOf(id))
    if (hit === undefined) return undefined
    const declared = this.declarations.of(id)
    const value = textFor(declared?.type, hit.entry)
    if (value === undefined) return undefined
    // A text that does not parse is among the problems already; then nothing of this is used.
    const parsed = declared === undefined ? undefined : parseDeclared(declared, value)
    const [typed, output] = parsed?.ok === true ? [parsed.value, parsed.output] : []
    return { id, value, typed, output, declared, type: declared?.type, isImmutable: declared?.immutable === true, kind: hit.layer.kind, readAs: undefined, readValue: undefined }
  }

  /** What was saved under a name that is an earlier one now: `reset` of the present one must find it. */
  #renameRuntime(): void {
    const entries = this.stack.find('runtime', 'runtime')?.entries as Map<string, LayerEntry> | undefined
    if (entries === undefined) return
    for (const { id, oldIds } of this.declarations.all) {
      for (const old of oldIds) {
        const entry = entries.get(old)
        if (entry === undefined) continue
        entries.delete(old)
        if (!entries.has(id)) entries.set(id, entry)
      }
    }
  }
}

function newLayers(before: LayerStack, after: LayerStack): Layer[] {
  return after.layers.filter((layer) => !before.layers.includes(layer))
}

/** Of the layers that only one of them has. */
function* changedKeys(before: LayerStack, after: LayerStack): Generator<string> {
  for (const { entries } of newLayers(before, after)) yield* entries.keys()
  for (const { entries } of newLayers(after, before)) yield* entries.keys()
}
