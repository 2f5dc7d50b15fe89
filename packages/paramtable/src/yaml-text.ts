/**
 * YAML flattened to keys and texts. Scalars keep their source text (`0777`, `1.10`, 20-digit ids): dialects of YAML disagree about
 * what those mean, and a table of texts need not decide. Only null is recognised, and becomes ''.
 */
import { LineCounter, isAlias, isMap, isScalar, isSeq, parseDocument } from 'yaml'
import type { Node, Pair, Scalar, YAMLMap, YAMLSeq } from 'yaml'
import { LONE_SURROGATE, normalizeKey } from './check.ts'
import { ParamError } from './errors.ts'
import { MAX_DEPTH, MAX_NODES, canJoin, checkLength, whereIn } from './flat.ts'
import type { FlatEntry, FlatFile } from './flat.ts'
import { readPlainYaml } from './yaml-plain.ts'

const NULLS = new Set(['', '~', 'null', 'Null', 'NULL'])

/** @throws {ParamError} `PARAM_YAML` with file, line and column; `PARAM_TOO_LARGE`. */
export function flattenYaml(text: string, name: string): FlatFile {
  checkLength({ text, name })
  const plain = readPlainYaml(text)
  return plain === undefined ? parseYaml(text, name) : { entries: plain, where: (offset) => whereIn({ text, name }, offset) }
}

/** By the parser, whatever the text is. */
export function parseYaml(text: string, name: string): FlatFile {
  return new Flattener(text, name).run()
}

class Flattener implements FlatFile {
  readonly entries = new Map<string, FlatEntry>()
  readonly #text: string
  readonly #name: string
  readonly #lines = new LineCounter()
  readonly #anchors = new Map<string, Node>()
  #nodes = 0

  constructor(text: string, name: string) {
    this.#text = text
    this.#name = name
  }

  run(): this {
    const document = this.#parse()
    const [error] = document.errors
    if (error !== undefined) throw this.#fail(error.pos[0], firstLine(error.message), error)
    const root = document.contents
    if (root === null || (isScalar(root) && isNull(root))) return this
    const { node } = this.#resolve(root, 0)
    if (!isMap(node)) throw this.#fail(offsetOf(root), 'expected a map of parameters at the top')
    this.#flattenMap(node, '', 0)
    return this
  }

  where(offset: number): string {
    const { line, col } = this.#lines.linePos(offset)
    return `${this.#name}:${line}:${col}`
  }

  #parse(): ReturnType<typeof parseDocument> {
    try {
      // Pretty errors would show lines of the file, secrets among them. Unique keys are checked while flattening: that also sees `A` beside `a`, and is not quadratic.
      return parseDocument(this.#text, { schema: 'failsafe', lineCounter: this.#lines, uniqueKeys: false, prettyErrors: false, logLevel: 'error' })
    } catch (error) {
      throw new ParamError('PARAM_YAML', `${this.#name}: the text cannot be parsed, it is nested too deep or broken`, { cause: error })
    }
  }

  #flattenMap(map: YAMLMap, prefix: string, depth: number, taken: Set<string> = new Set()): void {
    const own = new Set<string>()
    const merges: Pair[] = []
    for (const pair of map.items) {
      const key = this.#keyOf(pair)
      if (key === '<<') {
        merges.push(pair)
        continue
      }
      const path = this.#path(pair, prefix + key)
      if (own.has(path)) throw this.#fail(offsetOf(pair.key), `the key \`${path}\` is there twice (letter case does not count)`)
      own.add(path)
      if (!taken.has(path)) this.#flattenValue(pair, path, depth + 1)
    }
    for (const path of own) taken.add(path)
    // What is merged in gives way, as a whole, to the map's own keys and to what was merged before (YAML 1.1).
    for (const pair of merges) this.#merge(pair, prefix, depth + 1, taken)
  }

  #flattenValue(pair: Pair, path: string, depth: number): void {
    const offset = offsetOf(pair.key)
    const { node, level } = this.#resolve(pair.value as Node | null, depth, offset)
    if (isMap(node)) return this.#flattenMap(node, `${path}.`, level)
    if (this.entries.has(path)) throw this.#fail(offset, `the key \`${path}\` is there twice (letter case does not count)`)
    const json = isSeq(node) ? this.#json(node, level) : undefined
    const value = isSeq(node) ? this.#sequenceText(node, level, json ?? '') : scalarText(node)
    if (LONE_SURROGATE.test(value)) throw this.#fail(offset, `the value of \`${path}\` has a lone surrogate`)
    this.entries.set(path, { value, json, offset })
  }

  #merge(pair: Pair, prefix: string, depth: number, taken: Set<string>): void {
    const { node, level } = this.#resolve(pair.value as Node | null, depth, offsetOf(pair.key))
    const items = isSeq(node) ? node.items : [node]
    for (const item of items) {
      const merged = this.#resolve(item as Node | null, level, offsetOf(pair.key))
      if (!isMap(merged.node)) throw this.#fail(offsetOf(pair.key), 'expected `<<` to merge a map')
      this.#flattenMap(merged.node, prefix, merged.level + 1, taken)
    }
  }

  /** Follows an alias, counts, and limits depth: an alias bomb or a cycle ends here. */
  #resolve(node: Node | null, depth: number, offset: number = 0): { node: Node | null; level: number } {
    const at = node?.range?.[0] ?? offset
    if (++this.#nodes > MAX_NODES) throw this.#fail(at, `more than ${MAX_NODES} values after expansion of aliases`)
    if (depth > MAX_DEPTH) throw this.#fail(at, `nested more than ${MAX_DEPTH} levels deep`)
    if (!isAlias(node)) {
      const anchor = (node as { anchor?: string } | null)?.anchor
      if (anchor !== undefined && node !== null) this.#anchors.set(anchor, node)
      return { node, level: depth }
    }
    const target = this.#anchors.get(node.source)
    if (target === undefined) throw this.#fail(at, `the alias \`*${node.source}\` has no anchor before it`)
    return { node: target, level: depth + 1 }
  }

  #sequenceText(sequence: YAMLSeq, depth: number, json: string): string {
    const items = sequence.items.map((item) => this.#resolve(item as Node | null, depth + 1))
    const texts = items.map(({ node }) => (node === null || isScalar(node) ? scalarText(node) : undefined))
    return canJoin(texts) ? texts.join(',') : json
  }

  #json(value: Node | null, depth: number): string {
    const { node, level } = this.#resolve(value, depth)
    if (isSeq(node)) return `[${node.items.map((item) => this.#json(item as Node | null, level + 1)).join(',')}]`
    if (!isMap(node)) return scalarJson(node)
    const pairs = node.items.map((pair) => `${JSON.stringify(this.#keyOf(pair))}:${this.#json(pair.value as Node | null, level + 1)}`)
    return `{${pairs.join(',')}}`
  }

  #keyOf(pair: Pair): string {
    const { node } = this.#resolve(pair.key as Node | null, 0)
    if (!isScalar(node)) throw this.#fail(offsetOf(pair.key), 'expected a plain key, got a map or an array')
    return scalarText(node)
  }

  #path(pair: Pair, path: string): string {
    try {
      return normalizeKey(path)
    } catch (error) {
      throw this.#fail(offsetOf(pair.key), (error as Error).message, error)
    }
  }

  #fail(offset: number, message: string, cause?: unknown): ParamError {
    const { line, col } = this.#lines.linePos(offset)
    const details = { file: this.#name, line, column: col }
    return new ParamError('PARAM_YAML', `${this.where(offset)}: ${message}`, { cause, outcome: 'not-applied', details })
  }
}

function offsetOf(node: unknown): number {
  return (node as { range?: readonly number[] | null } | null)?.range?.[0] ?? 0
}

function isNull(node: Scalar): boolean {
  return node.type === 'PLAIN' && NULLS.has(node.source ?? '')
}

function scalarText(node: Node | null): string {
  return !isScalar(node) || isNull(node) ? '' : String(node.value)
}

/** A plain scalar that is JSON as it stands stays so; everything else is a string. */
function scalarJson(node: Node | null): string {
  if (!isScalar(node) || isNull(node)) return 'null'
  const text = String(node.value)
  return node.type === 'PLAIN' && /^(true|false|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?)$/.test(text) ? text : JSON.stringify(text)
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0]?.replace(/ at line \d+, column \d+:?$/, '') ?? message
}
