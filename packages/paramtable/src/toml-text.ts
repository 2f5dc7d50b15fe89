/**
 * TOML flattened. Floats and dates keep their text (`1.10`); integers are decimal digits, however many: what TOML's `1_000` and `0x1f`
 * mean is not open, as it is in YAML.
 */
import { parseTOML } from 'toml-eslint-parser'
import type { AST } from 'toml-eslint-parser'
import { MAX_DEPTH, checkLength, flattenTree, refusal } from './flat.ts'
import type { FileText, FlatFile, Tree, TreeMember } from './flat.ts'

/** A map or list that is still being put together: tables of TOML come in pieces. */
interface OpenMap {
  readonly kind: 'map'
  readonly members: OpenMember[]
  readonly byKey: Map<string, OpenMember>
}
interface OpenList {
  readonly kind: 'list'
  readonly isOpen: true
  readonly items: OpenMap[]
}
interface OpenMember extends TreeMember {
  readonly value: OpenMap | OpenList | Tree
}

/** @throws {ParamError} `PARAM_TOML` with file, line and column; `PARAM_TOO_LARGE`. */
export function flattenToml(text: string, name: string): FlatFile {
  const file: FileText = { text, name, code: 'PARAM_TOML' }
  checkLength(file)
  const root = openMap()
  const [top] = parsed(file).body
  for (const node of top.body) {
    if (node.type === 'TOMLKeyValue') addPair(root, node, file, 0)
    else {
      const table = tableAt(root, node, file)
      for (const pair of node.body) addPair(table, pair, file, 0)
    }
  }
  return flattenTree(root.members, file)
}

function parsed(file: FileText): AST.TOMLProgram {
  try {
    return parseTOML(file.text)
  } catch (error) {
    const { index, message } = error as { readonly index?: unknown; readonly message: string }
    if (typeof index !== 'number') throw refusal(file, 0, 'the text cannot be parsed, it is nested too deep or broken', error)
    throw refusal(file, index, message, error)
  }
}

function openMap(): OpenMap {
  return { kind: 'map', members: [], byKey: new Map() }
}

function put(map: OpenMap, key: string, offset: number, value: OpenMember['value']): OpenMember {
  const member: OpenMember = { key, offset, value }
  map.members.push(member)
  map.byKey.set(key, member)
  return member
}

/** The map under a key; made if it is not there. */
function childOf(map: OpenMap, key: string, offset: number, make: () => OpenMap | OpenList): OpenMember['value'] {
  return (map.byKey.get(key) ?? put(map, key, offset, make())).value
}

const nameOf = (node: AST.TOMLBare | AST.TOMLQuoted): string => (node.type === 'TOMLBare' ? node.name : node.value)

/** `[a.b]` and `[[a.b]]`: numbers in the resolved key are places in arrays of tables. */
function tableAt(root: OpenMap, node: AST.TOMLTable, file: FileText): OpenMap {
  checkDepth(node.resolvedKey.length, node.range[0], file)
  let at: OpenMember['value'] | undefined = root
  let names = 0
  for (const [index, part] of node.resolvedKey.entries()) {
    const offset = node.key.keys[names]?.range[0] ?? node.range[0]
    if (typeof part === 'number') {
      at = itemAt(at, part)
      if (at === undefined) throw refusal(file, offset, 'expected an array of tables')
      continue
    }
    names++
    if (!isMap(at)) throw refusal(file, offset, 'expected a table')
    at = childOf(at, part, offset, () => (typeof node.resolvedKey[index + 1] === 'number' ? { kind: 'list', isOpen: true, items: [] } : openMap()))
  }
  if (!isMap(at)) throw refusal(file, node.range[0], 'expected a table')
  return at
}

function addPair(map: OpenMap, node: AST.TOMLKeyValue, file: FileText, depth: number): void {
  const keys = [...node.key.keys]
  const last = keys.pop()
  checkDepth(depth + keys.length, node.range[0], file)
  let at = map
  for (const key of keys) {
    const next = childOf(at, nameOf(key), key.range[0], openMap)
    if (!isMap(next)) throw refusal(file, key.range[0], `\`${nameOf(key)}\` has a value of its own`)
    at = next
  }
  if (last !== undefined) put(at, nameOf(last), node.key.range[0], treeOf(node.value, file, depth + keys.length + 1))
}

function treeOf(node: AST.TOMLContentNode, file: FileText, depth: number): Tree {
  checkDepth(depth, node.range[0], file)
  if (node.type === 'TOMLArray') return { kind: 'list', items: node.elements.map((item) => treeOf(item, file, depth + 1)) }
  if (node.type === 'TOMLInlineTable') {
    const map = openMap()
    for (const pair of node.body) addPair(map, pair, file, depth)
    return map
  }
  if (node.kind === 'string') return { kind: 'scalar', text: node.value, json: JSON.stringify(node.value) }
  const source = file.text.slice(...node.range)
  const text = node.kind === 'integer' ? String(node.bigint) : node.kind === 'float' ? source.replaceAll('_', '') : source
  const isJson = /^(true|false|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?)$/.test(text)
  return { kind: 'scalar', text, json: isJson ? text : JSON.stringify(text) }
}

function checkDepth(depth: number, offset: number, file: FileText): void {
  if (depth > MAX_DEPTH) throw refusal(file, offset, `nested more than ${MAX_DEPTH} levels deep`)
}

function isMap(value: OpenMember['value'] | undefined): value is OpenMap {
  return value?.kind === 'map' && 'byKey' in value
}

function itemAt(value: OpenMember['value'] | undefined, index: number): OpenMap | undefined {
  return value?.kind === 'list' && 'isOpen' in value ? (value.items[index] ??= openMap()) : undefined
}
