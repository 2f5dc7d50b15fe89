/**
 * The table of parameters that every component of a process reads (appendix A.2): texts under case-insensitive keys, from layers
 * of which the stronger hide the weaker: runtime (`save`) > kv > flags > environment > files, the later over the earlier > defaults.
 *
 * Every change is checked before it is made, is made as one step, and is told to those who watch afterwards. Reads are synchronous.
 */
import { checkValue, normalizeKey, show } from './check.ts'
import type { ParamDeclaration, ParamType } from './declaration.ts'
import { describeMarkdown, describeYaml } from './describe.ts'
import { readTextFile } from './edge.ts'
import { ParamError, problemsError } from './errors.ts'
import type { ParamProblem } from './errors.ts'
import { explain, isSecret } from './explain.ts'
import type { Explanation } from './explain.ts'
import { sourceOf } from './layers.ts'
import type { LayerEntry } from './layers.ts'
import type { GlobalParamsTableOptions, LayerInput } from './options.ts'
import { parseAs } from './parsers.ts'
import type { ParamValue } from './parsers.ts'
import type { ParamRange, ParamSnapshot, Resolved } from './snapshot.ts'
import { TableState } from './state.ts'
import { checkEntry, unknownMessage } from './validate.ts'
import type { ParamListener, WatchTarget } from './watchers.ts'
import { MAX_YAML_LENGTH, flattenYaml } from './yaml-text.ts'

const EVERYTHING = Number.MAX_SAFE_INTEGER

/**
 * @example
 * const params = createGlobalParamsTable({ declarations: [{ key: 'proxy.port', type: 'int', default: 19530, min: 0, max: 65535 }] })
 * params.save('Proxy.Port', '8080')
 * params.getInt('proxy.port') // => 8080
 */
export class GlobalParamsTable {
  readonly #state: TableState
  /** Files are applied in the order of the calls. */
  #loading: Promise<unknown> = Promise.resolve()

  constructor(options: GlobalParamsTableOptions = {}) {
    this.#state = new TableState(options)
  }

  /** The text, or `undefined` where there is none. */
  load(key: string): string | undefined {
    const found = this.#state.snapshot.get(typeof key === 'string' ? key : normalizeKey(key))
    if (found?.isImmutable === true) this.#state.pinned.add(found.id)
    return found?.value
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
    const below = this.#state.stack.all(id).some(({ layer }) => layer.kind !== 'runtime')
    this.#state.edit(id, below ? { value: undefined, source: 'remove()' } : undefined)
  }

  /** Takes back what `save` and `remove` did: weaker layers show again. */
  reset(key: string): void {
    this.#state.edit(normalizeKey(key), undefined)
  }

  /**
   * Adds a file over those before it; a file that was loaded before is replaced in its place. All or nothing.
   * @throws {ParamError} `PARAM_SOURCE_FAILED`, `PARAM_YAML`, `PARAM_INVALID`, `PARAM_UNKNOWN`, `PARAM_IMMUTABLE`, `PARAM_TOO_LARGE`.
   */
  async loadYaml(path: string, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    if (typeof path !== 'string' || path === '') throw new TypeError(`expected \`path\` to be a path, got ${show(path)}`)
    options.signal?.throwIfAborted()
    const reading = readTextFile(path, MAX_YAML_LENGTH, options.signal)
    const before = this.#loading
    const done = (async () => {
      const [text] = await Promise.allSettled([reading, before])
      options.signal?.throwIfAborted()
      if (text.status === 'rejected') throw sourceFailed(path, text.reason)
      this.loadYamlText(text.value, path)
    })()
    this.#loading = done.catch(() => undefined)
    return done
  }

  /** The same for a text; `name` stands for the file in messages. */
  loadYamlText(text: string, name: string): void {
    if (typeof text !== 'string') throw new TypeError(`expected \`text\` to be a string, got ${show(text)}`)
    const flat = flattenYaml(text, name)
    const entries = new Map<string, LayerEntry>()
    for (const [id, { value, offset }] of flat.entries) entries.set(id, { value, source: () => flat.where(offset) })
    this.#state.setLayer({ kind: 'file', name, entries })
  }

  /** Throws what {@link setLayer} would say of these values by themselves, and changes nothing. */
  check({ name, entries }: LayerInput): void {
    const problems: ParamProblem[] = []
    for (const [key, value, source = name] of entries) {
      checkValue(value)
      checkEntry(normalizeKey(key), { value, source }, this.#state.declared, this.#state.strict, problems)
    }
    if (problems.length > 0) throw problemsError(problems)
  }

  /** Puts a layer in, or in the place of the one with this kind and name, as one step. */
  setLayer({ kind, name, entries }: LayerInput): void {
    if (kind !== 'kv' && kind !== 'flags' && kind !== 'file') throw new TypeError(`expected \`kind\` to be kv, flags or file, got ${show(kind)}`)
    const map = new Map<string, LayerEntry>()
    for (const [key, value, source = name] of entries) {
      checkValue(value)
      map.set(normalizeKey(key), { value, source })
    }
    this.#state.setLayer({ kind, name, entries: map })
  }

  removeLayer(kind: LayerInput['kind'], name: string): void {
    const layer = this.#state.stack.find(kind, name)
    if (layer !== undefined) this.#state.removeLayer(layer)
  }

  /** @throws {ParamError} `PARAM_INVALID` when a value is there already that the declaration refuses. */
  declare(...declarations: readonly ParamDeclaration[]): void {
    this.#state.declare(declarations)
  }

  getString(key: string, fallback?: string): string {
    return this.#typed(key, 'string', fallback)
  }

  getInt(key: string, fallback?: number): number {
    return this.#typed(key, 'int', fallback)
  }

  getFloat(key: string, fallback?: number): number {
    return this.#typed(key, 'float', fallback)
  }

  getBool(key: string, fallback?: boolean): boolean {
    return this.#typed(key, 'bool', fallback)
  }

  /** Milliseconds; a text such as `1.5s` or `200`. */
  getDurationMs(key: string, fallback?: number): number {
    return this.#typed(key, 'durationMs', fallback)
  }

  /** Bytes; a text such as `64k` or `1.5GiB`, 1024-based. */
  getBytes(key: string, fallback?: number): number {
    return this.#typed(key, 'bytes', fallback)
  }

  getEnum(key: string, fallback?: string): string {
    return this.#typed(key, 'enum', fallback)
  }

  getList(key: string, fallback?: readonly string[]): readonly string[] {
    return this.#typed(key, 'list', fallback)
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
    const known = this.#state.stack.resolve(id) !== undefined || this.#state.declared.has(id)
    if (!known && this.#state.strict) throw new ParamError('PARAM_UNKNOWN', unknownMessage(key, this.#state.declared), { details: { key } })
    return explain(this.#state.declared.get(id)?.key ?? id, this.#state.stack.all(id), this.#state.declared.get(id))
  }

  /** All visible values in the order of their keys, secrets masked. */
  dump(): Map<string, string> {
    const range = this.#state.snapshot.range('', '\u{10ffff}', EVERYTHING)
    return new Map(range.keys.map((key, index) => [key, isSecret(key, this.#state.declared.get(key)) ? '******' : (range.values[index] ?? '')]))
  }

  /** The declared parameters as a reference in Markdown and as an example file. */
  describe(): { markdown: string; yaml: string } {
    const declared = [...this.#state.declared.values()]
    return { markdown: describeMarkdown(declared), yaml: describeYaml(declared) }
  }

  /** Ends all watches. The values stay readable. */
  close(): void {
    this.#state.watchers.clear()
  }

  #typed<T extends ParamValue>(key: string, type: ParamType, fallback: T | undefined): T {
    const found = this.#state.snapshot.get(typeof key === 'string' ? key : normalizeKey(key))
    if (found !== undefined && found.type === type) {
      if (found.isImmutable) this.#state.pinned.add(found.id)
      return found.typed as T
    }
    if (found !== undefined && found.readAs === type) return found.readValue as T
    return this.#typedSlowly(normalizeKey(key), type, found, fallback)
  }

  #typedSlowly<T extends ParamValue>(id: string, type: ParamType, found: Resolved | undefined, fallback: T | undefined): T {
    const declared = this.#state.declared.get(id)
    const asText = type === 'string' && declared?.type === 'enum'
    if (declared !== undefined && declared.type !== type && !asText) throw new TypeError(`\`${declared.key}\` is declared as ${declared.type}, not ${type}`)
    if (found === undefined) {
      if (fallback !== undefined) return fallback
      throw new ParamError('PARAM_MISSING', `\`${declared?.key ?? id}\` has no value`, { details: { key: id } })
    }
    if (declared?.immutable === true) this.#state.pinned.add(id)
    const parsed = parseAs(type === 'enum' ? 'string' : type, found.value)
    if (parsed.ok) {
      if (declared === undefined) Object.assign(found, { readAs: type, readValue: parsed.value })
      return parsed.value as T
    }
    const hit = this.#state.stack.resolve(id)
    const got = isSecret(id, declared) ? 'a secret' : show(found.value)
    const source = hit === undefined ? 'unknown' : sourceOf(hit.entry)
    throw problemsError([{ code: 'PARAM_INVALID', key: id, source, message: `expected \`${id}\` to be ${parsed.expected}, got ${got}` }])
  }
}

/** See {@link GlobalParamsTable}. */
export function createGlobalParamsTable(options: GlobalParamsTableOptions = {}): GlobalParamsTable {
  return new GlobalParamsTable(options)
}

function sourceFailed(path: string, cause: unknown): unknown {
  if (cause instanceof ParamError) return cause
  const message = cause instanceof Error ? cause.message : String(cause)
  return new ParamError('PARAM_SOURCE_FAILED', `${path}: ${message}`, { cause, outcome: 'not-applied', details: { file: path } })
}
