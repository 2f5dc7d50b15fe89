import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkFile, checkRepository, describeWorkspace } from '../arrows.mjs'
import { repoRoot } from '../lib/repo.mjs'

const make = (dir, name, exports, more = {}) => describeWorkspace(dir, { name, exports, ...more })
const entries = { '.': {}, './testing': {} }
const workspaces = [
  make('packages/kv', '@timetick/kv', { ...entries, './memory': {} }),
  make('packages/tso', '@timetick/tso', entries, { dependencies: { long: '1' } }),
  make('packages/msgstream', '@timetick/msgstream', entries),
  make('packages/flowgraph', '@timetick/flowgraph', entries),
  make('packages/paramtable', '@timetick/paramtable', entries),
  make('examples/mini-milvus', 'mini-milvus', { '.': {} }),
  make('examples/insight', 'insight', { '.': {} }),
]
const check = (file, text) => checkFile(file, text, workspaces.find((w) => file.startsWith(`${w.dir}/`)), workspaces)
const bad = (file, text, pattern) => {
  const problems = check(file, text)
  assert.equal(problems.length, 1, `${text}: ${problems.join(' | ') || 'no problem found'}`)
  assert.match(problems[0], pattern)
}
const good = (file, text) => assert.deepEqual(check(file, text), [])

test('types along an arrow pass', () => {
  good('packages/tso/src/oracle.ts', `import type { KVBase } from '@timetick/kv'`)
  good('packages/tso/src/oracle.ts', `export type { KVBase } from '@timetick/kv'`)
  good('packages/tso/src/oracle.ts', `let kv: import('@timetick/kv').KVBase`)
  good('packages/flowgraph/src/msgstream.ts', `import type { MsgStream } from '@timetick/msgstream'`)
  good('packages/flowgraph/src/msgstream/input.ts', `import type { MsgStream } from '@timetick/msgstream'`)
  good('packages/paramtable/src/kv.ts', `import type { KVBase } from '@timetick/kv'`)
})

test('values along an arrow do not', () => {
  bad('packages/tso/src/oracle.ts', `import { KVError } from '@timetick/kv'`, /oracle\.ts:1: .*types only/)
  bad('packages/tso/src/oracle.ts', `import { type KVBase } from '@timetick/kv'`, /types only/)
  bad('packages/tso/src/oracle.ts', `\nexport * from '@timetick/kv'`, /oracle\.ts:2: .*types only/)
  bad('packages/tso/src/oracle.ts', `const kv = await import('@timetick/kv')`, /types only/)
})

test('other directions and parts have no arrow', () => {
  bad('packages/kv/src/a.ts', `import type { Timestamp } from '@timetick/tso'`, /no arrow/)
  bad('packages/flowgraph/src/graph.ts', `import type { MsgStream } from '@timetick/msgstream'`, /no arrow/)
  bad('packages/flowgraph/src/msgstreams.ts', `import type { MsgStream } from '@timetick/msgstream'`, /no arrow/)
  bad('packages/paramtable/src/table.ts', `import type { KVBase } from '@timetick/kv'`, /no arrow/)
  bad('packages/kv/test/a.test.ts', `import { startMiniMilvus } from 'mini-milvus'`, /may not import an example/)
})

test('nobody goes around the public names', () => {
  bad('examples/mini-milvus/src/a.ts', `import { x } from '../../../packages/kv/src/x.ts'`, /by path/)
  bad('packages/tso/test/a.test.ts', `import { x } from '../../kv/src/x.ts'`, /by path/)
  bad('packages/kv/src/a.ts', `import { x } from '../test/x.ts'`, /out of src/)
  bad('examples/mini-milvus/src/a.ts', `import { x } from '@timetick/kv/src/x.ts'`, /not a public entry/)
  bad('examples/insight/src/a.ts', `import { x } from '@timetick/tso'`, /may import only/)
  good('examples/mini-milvus/src/a.ts', `import { createMemoryKV } from '@timetick/kv/memory'`)
  good('packages/tso/test/a.test.ts', `import { createMemoryKV } from '@timetick/kv/memory'`)
})

test('what a package imports it declares', () => {
  good('packages/tso/src/a.ts', `import Long from 'long'`)
  bad('packages/kv/src/a.ts', `import Long from 'long'`, /not among the dependencies/)
  bad('packages/kv/src/a.ts', `const l = await import('lmdb')`, /not among the dependencies/)
  good('packages/kv/test/a.test.ts', `import { test } from 'vitest'`)
})

test('a dynamic import does not hide the disk', () => {
  bad('packages/kv/src/a.ts', `await import('node:fs')`, /only in edge files/)
  bad('packages/kv/src/a.ts', `process.getBuiltinModule('net')`, /only in edge files/)
  good('packages/kv/src/edge.ts', `await import('node:fs')`)
  good('packages/kv/src/disk.edge.ts', `await import('node:fs')`)
})

test('this repository keeps the arrows', () => {
  const { files, problems } = checkRepository(repoRoot)
  assert.ok(files > 20, `only ${files} files found`)
  assert.deepEqual(problems, [])
})
