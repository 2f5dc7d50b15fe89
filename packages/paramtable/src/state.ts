/** The state of a table: every change goes through here, is checked as a whole, swapped in as one step, and told. */
import { checkDeclaration } from './declaration.ts'
import type { Declared, ParamDeclaration } from './declaration.ts'
import { Environment } from './environment.ts'
import { ParamError, problemsError } from './errors.ts'
import type { ParamProblem } from './errors.ts'
import { LayerStack } from './layers.ts'
import type { Layer, LayerEntry } from './layers.ts'
import type { GlobalParamsTableOptions } from './options.ts'
import { parseAs } from './parsers.ts'
import { ParamSnapshot } from './snapshot.ts'
import type { Resolved } from './snapshot.ts'
import { checkEntry } from './validate.ts'
import { compareKeys, show } from './check.ts'
import { Watchers } from './watchers.ts'

export class TableState {
  readonly strict: boolean
  readonly watchers: Watchers
  readonly #maxKeys: number
  readonly #environment: Environment | undefined
  declared: ReadonlyMap<string, Declared> = new Map()
  stack = new LayerStack()
  snapshot = new ParamSnapshot()
  /** Somebody holds the present snapshot: the next change copies. */
  shared = false
  /** Immutable parameters that were read. */
  readonly pinned = new Set<string>()
  readonly #spelling = (id: string): string | undefined => {
    const key = this.declared.get(id)?.key
    return key === id ? undefined : key
  }

  constructor(options: GlobalParamsTableOptions) {
    if (typeof options !== 'object' || options === null) throw new TypeError(`expected the options to be an object, got ${show(options)}`)
    const { declarations = [], strict = false, env, maxKeys = 100_000, onListenerError } = options
    if (typeof strict !== 'boolean') throw new TypeError(`expected \`strict\` to be a boolean, got ${show(strict)}`)
    if (!Number.isSafeInteger(maxKeys) || maxKeys < 1) throw new RangeError(`expected \`maxKeys\` to be a positive integer, got ${show(maxKeys)}`)
    if (!Array.isArray(declarations)) throw new TypeError(`expected \`declarations\` to be an array, got ${show(declarations)}`)
    this.strict = strict
    this.#maxKeys = maxKeys
    this.watchers = new Watchers((error) => onListenerError?.(error))
    this.#environment = env === undefined ? undefined : new Environment(env)
    this.declare(declarations as readonly ParamDeclaration[])
  }

  declare(declarations: readonly ParamDeclaration[]): void {
    const declared = new Map(this.declared)
    for (const declaration of declarations) {
      const one = checkDeclaration(declaration)
      if (declared.has(one.id)) throw new TypeError(`expected \`${one.key}\` to be declared once`)
      declared.set(one.id, one)
    }
    const before = this.declared
    this.declared = declared
    const entries = new Map<string, LayerEntry>()
    for (const { id, defaultText } of declared.values()) if (defaultText !== undefined) entries.set(id, { value: defaultText, source: 'default' })
    try {
      const stack = this.#withEnvironment(this.stack.with({ kind: 'default', name: 'default', entries }))
      this.#change(stack, [...declared.keys()], stack.layers)
    } catch (error) {
      this.declared = before
      throw error
    }
  }

  setLayer(layer: Layer): void {
    if (layer.entries.size > this.#maxKeys) {
      throw new ParamError('PARAM_TOO_LARGE', `${layer.name}: expected at most ${this.#maxKeys} keys, got ${layer.entries.size}`, { outcome: 'not-applied' })
    }
    const old = this.stack.find(layer.kind, layer.name)
    const ids = [...layer.entries.keys(), ...(old?.entries.keys() ?? [])]
    this.#change(this.#withEnvironment(this.stack.with(layer)), ids, [layer])
  }

  removeLayer(layer: Layer): void {
    this.#change(this.#withEnvironment(this.stack.without(layer.kind, layer.name)), [...layer.entries.keys()], [])
  }

  edit(id: string, entry: LayerEntry | undefined): void {
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

  /** The environment's entries depend on which keys are known: `ETCD_ROOT_PATH` may be etcd.rootPath. */
  #withEnvironment(stack: LayerStack): LayerStack {
    if (this.#environment === undefined) return stack
    const files = stack.layers.filter(({ kind }) => kind === 'file')
    const problems: ParamProblem[] = []
    const entries = this.#environment.entries([...files.flatMap((file) => [...file.entries.keys()]), ...this.declared.keys()], problems)
    if (problems.length > 0) throw problemsError(problems)
    return stack.with({ kind: 'environment', name: 'environment', entries })
  }

  /** Checks, swaps, tells. `ids` are the keys that may differ, `checked` the layers that are new. */
  #change(stack: LayerStack, ids: readonly string[], checked: readonly Layer[]): void {
    const environment = stack.find('environment', 'environment')
    const oldEnvironment = this.stack.find('environment', 'environment')
    const problems: ParamProblem[] = []
    const layers = environment === undefined || checked.includes(environment) || environment === oldEnvironment ? checked : [...checked, environment]
    for (const layer of layers) {
      for (const [id, entry] of layer.entries) checkEntry(id, entry, this.declared, this.strict, problems)
    }
    if (environment === oldEnvironment) this.#apply(stack, ids, problems)
    else this.#apply(stack, [...ids, ...(environment?.entries.keys() ?? []), ...(oldEnvironment?.entries.keys() ?? [])], problems)
  }

  #apply(stack: LayerStack, ids: readonly string[], problems: ParamProblem[]): void {
    const updates = new Map<string, Resolved | undefined>()
    for (const id of ids) if (!updates.has(id)) updates.set(id, this.#resolve(stack, id))
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
    this.snapshot = this.snapshot.next(updates, this.#spelling, !this.shared)
    this.shared = false
    if (changes.length > 0) {
      changes.sort((a, b) => compareKeys(a.key, b.key))
      this.watchers.tell({ version: this.snapshot.version, changes })
    }
  }

  #resolve(stack: LayerStack, id: string): Resolved | undefined {
    const hit = stack.resolve(id)
    const value = hit?.entry.value
    if (hit === undefined || value === undefined) return undefined
    const declared = this.declared.get(id)
    // A text that does not parse is among the problems already; then nothing of this is used.
    const parsed = declared === undefined ? undefined : parseAs(declared.type, value, declared)
    const typed = parsed?.ok === true ? parsed.value : undefined
    return { id, value, typed, declared, type: declared?.type, isImmutable: declared?.immutable === true, kind: hit.layer.kind, readAs: undefined, readValue: undefined }
  }
}
