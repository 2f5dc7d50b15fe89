/** JSON as it is (no comments), flattened. Numbers keep their text: `1.10`, 20-digit ids. */
import { parse } from '@humanwhocodes/momoa'
import type { ValueNode } from '@humanwhocodes/momoa'
import { MAX_DEPTH, checkLength, flattenTree, refusal } from './flat.ts'
import type { FileText, FlatFile, Tree, TreeMember } from './flat.ts'

/** @throws {ParamError} `PARAM_JSON` with file, line and column; `PARAM_TOO_LARGE`. */
export function flattenJson(text: string, name: string): FlatFile {
  const file: FileText = { text, name, code: 'PARAM_JSON' }
  checkLength(file)
  const { body } = parsed(file)
  if (body.type !== 'Object') throw refusal(file, body.loc.start.offset, 'expected a map of parameters at the top')
  return flattenTree(membersOf(body, file, 0), file)
}

function parsed(file: FileText): ReturnType<typeof parse> {
  try {
    return parse(file.text, { mode: 'json' })
  } catch (error) {
    const { offset, message } = error as { readonly offset?: unknown; readonly message: string }
    if (typeof offset !== 'number') throw refusal(file, 0, 'the text cannot be parsed, it is nested too deep or broken', error)
    throw refusal(file, offset, message.replace(/ \(\d+:\d+\)$/, ''), error)
  }
}

function membersOf(node: Extract<ValueNode, { type: 'Object' }>, file: FileText, depth: number): TreeMember[] {
  return node.members.map(({ name, value, loc }) => ({
    key: name.type === 'String' ? name.value : name.name,
    offset: loc.start.offset,
    value: treeOf(value, file, depth + 1),
  }))
}

function treeOf(node: ValueNode, file: FileText, depth: number): Tree {
  const { start, end } = node.loc
  if (depth > MAX_DEPTH) throw refusal(file, start.offset, `nested more than ${MAX_DEPTH} levels deep`)
  if (node.type === 'Object') return { kind: 'map', members: membersOf(node, file, depth) }
  if (node.type === 'Array') return { kind: 'list', items: node.elements.map(({ value }) => treeOf(value, file, depth + 1)) }
  if (node.type === 'String') return { kind: 'scalar', text: node.value, json: JSON.stringify(node.value) }
  if (node.type === 'Null') return { kind: 'scalar', text: '', json: 'null' }
  const text = file.text.slice(start.offset, end.offset)
  return { kind: 'scalar', text, json: text }
}
