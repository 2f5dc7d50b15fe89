/**
 * The table of parameters that every component of a process reads (appendix A.2): texts under case-insensitive keys, from layers
 * of which the stronger hide the weaker: runtime (`save`) > kv > flags > environment > files, the later over the earlier > defaults.
 *
 * Every change is checked before it is made, is made as one step, and is told to those who watch afterwards. Reads are synchronous.
 */
import { checkValue, checkValueLength, normalizeKey, show } from './check.ts'
import type { Declared, ParamDeclaration } from './declaration.ts'
import { describe } from './describe.ts'
import type { Description } from './describe.ts'
import { ParamError, problemsError } from './errors.ts'
import type { ParamProblem } from './errors.ts'
import { MASK, explain, isSecret } from './explain.ts'
import type { Explanation } from './explain.ts'
import { checkSource, parseLayer, readSource } from './file-formats.ts'
import type { FormatOptions, LoadOptions } from './file-formats.ts'
import { sourceOf } from './layers.ts'
import type { Layer, LayerEntry, LayerKind } from './layers.ts'
import type { GlobalParamsTableOptions, LayerInput } from './options.ts'
import { ParamReader } from './reader.ts'
import type { ParamRange, ParamSnapshot, Resolved } from './snapshot.ts'
import { TableState } from './state.ts'
import { checkEntry, unknownMessage } from './validate.ts'
import { Variables } from './variables.ts'
import type { ParamListener, WatchTarget } from './watchers.ts'
import { flattenYaml } from './yaml-text.ts'

const EVERYTHING = Number.MAX_SAFE_INTEGER
const INPUT_KINDS: readonly LayerKind[] = ['kv', 'flags', 'file']

/**
 * @example
 * const params = createGlobalParamsTable({ declarations: [{ key: 'proxy.port', type: 'int', default: 19530, min: 0, max: 65535 }] })
 * params.save('Proxy.Port', '8080')
 * params.getInt('proxy.port') // => 8080
 */
export class GlobalParamsTable extends ParamReader {
  readonly #state: TableState
  /** Files are applied in the order of the calls. */
  #loading: Promise<unknown> = Promise.resolve()

  constructor(options: GlobalParamsTableOptions = {}) {
    super()
    this.#state = new TableState(options)
  }

  /** The text, or `undefined` where there is none. */
  load(key: string): string | undefined {
    return this.find(key)?.value
  }

  /**
   * Keys from `key` (inclusive) to `endKey` (exclusive), in the order of their UTF-8 bytes. 0 or no `limit`: all.
   * @example
   * params.loadRange('etcd.', 'etcd/').keys
   */
  loadRange(key: string, endKey: string, limit: number = 0): ParamRange {
    if (typeof limit !== 'number' || !Number.isSafeInteger(limit) || limit < 0) {
      throw new RangeError(`expected \`limit\` to be an integer of 0 or more, got ${show(limit)}`)
    }
    // The ends need not be keys: '' is before everything.
    const [from, to] = [key, endKey].map((end, index) => (end === '' ? '' : normalizeKey(end, index === 0 ? 'key' : 'endKey')))
    return this.#state.snapshot.range(from ?? '', to ?? '', limit === 0 ? EVERYTHING : limit)
  }

  /**
   * Sets a value over all other layers.
   * @throws {ParamError} `PARAM_INVALID`, `PARAM_UNKNOWN`, `PARAM_IMMUTABLE`, `PARAM_TOO_LARGE`; nothing changes then.
   */
  save(key: string, value: string): void {
    const id = normalizeKey(key)
    checkValue(value)
    this.#state.edit(id, { value, source: 'save()' })
  }

  /** Hides the key, whatever weaker layers say. Removing what is not there changes nothing. */
  remove(key: string): void {
    const id = normalizeKey(key)
    const below = this.#state.hits(id).some(({ layer }) => layer.kind !== 'runtime')
    this.#state.edit(id, below ? { value: undefined, source: 'remove()' } : undefined)
  }

  /** Takes back what `save` and `remove` did: weaker layers show again. */
  reset(key: string): void {
    this.#state.edit(normalizeKey(key), undefined)
  }

  /**
   * Adds a file over those before it; a file that was loaded before is replaced in its place. All or nothing. The format is told by the
   * name, or by `format`. For files that change see `openFileParams` of `/files`.
   * @throws {ParamError} `PARAM_SOURCE_FAILED`; `PARAM_YAML`, `PARAM_JSON`, `PARAM_TOML` or `PARAM_DOTENV`; `PARAM_INVALID`, `PARAM_UNKNOWN`,
   * `PARAM_IMMUTABLE`, `PARAM_TOO_LARGE`.
   */
  async loadFile(path: string, options: LoadOptions = {}): Promise<void> {
    const { signal } = options
    const { format, prefix } = checkSource({ path, format: options.format, prefix: options.prefix })
    signal?.throwIfAborted()
    const reading = readSource(path, signal).then(({ text }) => parseLayer(text, path, format, prefix))
    return this.#inOrder(reading, signal)
  }

  /** {@link loadFile} of YAML, whatever the path ends in. */
  async loadYaml(path: string, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    return this.loadFile(path, { ...options, format: 'yaml' })
  }

  /** The same for a text; `name` stands for the file in messages, and tells the format where `format` does not. */
  async loadText(text: string, name: string, options: FormatOptions = {}): Promise<void> {
    const { format, prefix } = checkSource({ path: name, format: options.format, prefix: options.prefix }, 'name')
    return this.#inOrder(parseLayer(text, name, format, prefix), undefined)
  }

  /** The same for YAML, at once. */
  loadYamlText(text: string, name: string): void {
    if (typeof text !== 'string') throw new TypeError(`expected \`text\` to be a string, got ${show(text)}`)
    const flat = flattenYaml(text, name)
    const entries = new Map<string, LayerEntry>()
    for (const [id, { value, json, offset }] of flat.entries) {
      checkValueLength(value)
      entries.set(id, { value, json, source: () => flat.where(offset) })
    }
    this.#state.setLayers([{ kind: 'file', name, entries }])
  }

  /** Throws what {@link setLayer} would say of these values by themselves, and changes nothing. */
  check({ name, entries }: LayerInput): void {
    const problems: ParamProblem[] = []
    for (const [key, value, source = name] of entries) {
      checkValue(value)
      checkEntry(normalizeKey(key), { value, source }, this.#state.declarations, this.#state.strict, problems)
    }
    if (problems.length > 0) throw problemsError(problems)
  }

  /** Puts a layer in, or in the place of the one with this kind and name, as one step. */
  setLayer(layer: LayerInput): void {
    this.setLayers([layer])
  }

  /** Several layers as one step: all of them or none, and one batch for those who watch. */
  setLayers(layers: readonly LayerInput[]): void {
    if (!Array.isArray(layers)) throw new TypeError(`expected \`layers\` to be an array, got ${show(layers)}`)
    this.#state.setLayers((layers as readonly LayerInput[]).map(layerOf))
  }

  removeLayer(kind: LayerInput['kind'], name: string): void {
    const layer = this.#state.stack.find(kind, name)
    if (layer !== undefined) this.#state.removeLayer(layer)
  }

  /** @throws {ParamError} `PARAM_INVALID` when a value is there already that the declaration refuses. */
  declare(...declarations: readonly ParamDeclaration[]): void {
    this.#state.declare(declarations)
  }

  /** The values as they are now; later changes do not show in it. */
  snapshot(): ParamSnapshot {
    this.#state.shared = true
    return this.#state.snapshot
  }

  /** Calls `listener` after each change of the key, or of keys with the prefix, in order. The result ends it. */
  watch(target: WatchTarget, listener: ParamListener): () => void {
    return this.#state.watchers.add(target, listener)
  }

  /** Where a value comes from and what it hides, secrets masked. Strict tables refuse unknown keys with the nearest name. */
  explain(key: string): Explanation {
    const id = normalizeKey(key)
    const { declarations, strict } = this.#state
    const [hits, declared] = [this.#state.hits(id), declarations.of(id)]
    if (hits.length === 0 && declared === undefined && strict) throw new ParamError('PARAM_UNKNOWN', unknownMessage(key, declarations), { details: { key } })
    return explain(declared?.key ?? id, hits, declared)
  }

  /** All visible values in the order of their keys, secrets masked. */
  dump(): Map<string, string> {
    const { snapshot, declarations } = this.#state
    return new Map(snapshot.keys().map((key) => [key, isSecret(key, declarations.of(key)) ? MASK : (snapshot.load(key) ?? '')]))
  }

  /** Earlier names that are in use, and where: what an operator should rename. */
  deprecations(): DeprecatedUse[] {
    return this.#state.declarations.all.flatMap(({ key, oldIds }) =>
      this.#state.stack.layers.flatMap((layer) => oldIds.flatMap((name) => {
        const entry = layer.entries.get(name)
        return entry === undefined ? [] : [{ deprecatedKey: name, key, layer: layer.kind, source: sourceOf(entry) }]
      })))
  }

  /** The declared parameters as a reference in Markdown, an example file in YAML, and a JSON Schema for such files. */
  describe(): Description {
    return describe(this.#state.declarations.all, this.#state.strict)
  }

  /** Ends all watches. The values stay readable. */
  close(): void {
    this.#state.watchers.clear()
  }

  protected override find(key: string): Resolved | undefined {
    const found = this.#state.snapshot.get(typeof key === 'string' ? key : normalizeKey(key))
    if (found === undefined) this.#pinMissing(key)
    else if (found.isImmutable) this.#state.pinned.add(found.id)
    return found
  }

  protected override declaredAs(id: string): Declared | undefined {
    return this.#state.declarations.of(id)
  }

  protected override sourceOf({ id }: Resolved): string {
    const [hit] = this.#state.hits(id)
    return hit === undefined ? 'unknown' : sourceOf(hit.entry)
  }

  /** That there is no value is something read too. */
  #pinMissing(key: string): void {
    const declared = this.#state.declarations.of(key.toLowerCase())
    if (declared?.immutable === true) this.#state.pinned.add(declared.id)
  }

  /** Layers are put in in the order of the calls, however long each takes to read. */
  #inOrder(reading: Promise<LayerInput>, signal: AbortSignal | undefined): Promise<void> {
    const before = this.#loading
    const done = (async () => {
      const [layer] = await Promise.allSettled([reading, before])
      signal?.throwIfAborted()
      if (layer.status === 'rejected') throw layer.reason
      this.setLayer(layer.value)
    })()
    this.#loading = done.catch(() => undefined)
    return done
  }
}

/** See {@link GlobalParamsTable}. */
export function createGlobalParamsTable(options: GlobalParamsTableOptions = {}): GlobalParamsTable {
  return new GlobalParamsTable(options)
}

/** A name of earlier releases that a layer uses. */
export interface DeprecatedUse {
  readonly deprecatedKey: string
  /** The present name. */
  readonly key: string
  readonly layer: LayerKind
  readonly source: string
}

function layerOf({ kind, name, entries, variables }: LayerInput): Layer {
  if (!INPUT_KINDS.includes(kind)) throw new TypeError(`expected \`kind\` to be kv, flags or file, got ${show(kind)}`)
  if (typeof name !== 'string') throw new TypeError(`expected \`name\` to be a string, got ${show(name)}`)
  const map = new Map<string, LayerEntry>()
  for (const [key, value, source = name, json] of entries) {
    checkValue(value)
    map.set(variables === undefined ? normalizeKey(key) : key, { value, json, source })
  }
  if (variables === undefined) return { kind, name, entries: map }
  const named = Array.from(map, ([variable, { value = '', source }]) => ({ name: variable, value, source }))
  return { kind, name, entries: new Map(), variables: new Variables(new Map(), named, variables.prefix ?? '') }
}
