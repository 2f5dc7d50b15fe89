import { describe, expect, test } from 'vitest'
import { createGlobalParamsTable } from '../src/index.ts'

function flat(text: string): Record<string, string> {
  const params = createGlobalParamsTable()
  params.loadYamlText(text, 'f.yaml')
  return Object.fromEntries(params.snapshot().keys().map((key) => [key, params.load(key) ?? '']))
}

describe('flattening', () => {
  test('scalars keep their source text (4.3)', () => {
    expect(flat('a: 0777\nb: 1.10\nc: 12345678901234567890\nd: 1e3\ne: yes\nf: 2024-01-01\ng: 0o17\nh: .inf\ni: 1_000\nj: True\nk: +1')).toEqual({
      a: '0777', b: '1.10', c: '12345678901234567890', d: '1e3', e: 'yes', f: '2024-01-01', g: '0o17', h: '.inf', i: '1_000', j: 'True', k: '+1',
    })
  })

  test('null is the empty text, a quoted one is not null', () => {
    expect(flat('a:\nb: ~\nc: null\nd: "~"\ne: "null"\nf: ""')).toEqual({ a: '', b: '', c: '', d: '~', e: 'null', f: '' })
  })

  test('arrays of scalars are joined by commas; what commas cannot bring back is JSON (4.2 #6, #19)', () => {
    expect(flat('a: [a, 2, ~, 1.10]\nb: []\nc: ["a,b", 1.10]\nd:\n  - {x: 1, Y: [~, s]}\n  - z\ne: [[1, 2], 3]')).toEqual({
      a: 'a,2,,1.10', b: '', c: '["a,b",1.10]', d: '[{"x":1,"Y":[null,"s"]},"z"]', e: '[[1,2],3]',
    })
  })

  test('maps are joined by dots, empty maps make no key, empty files neither', () => {
    expect(flat('A:\n  B: {}\n  C: {D: x}')).toEqual({ 'a.c.d': 'x' })
    for (const text of ['', '# nothing', '~', '---\n', '{}']) expect(flat(text)).toEqual({})
  })

  test('block texts, anchors, aliases and merges', () => {
    expect(flat('a: |\n  x\n  y\nb: &b {p: 1, q: {r: 2, s: 3}}\nc: *b\nd:\n  q: {r: 9}\n  <<: *b\ne: {<<: [{z: 1}, {z: 2, y: 3}]}')).toEqual({
      a: 'x\ny\n', 'b.p': '1', 'b.q.r': '2', 'b.q.s': '3', 'c.p': '1', 'c.q.r': '2', 'c.q.s': '3', 'd.p': '1', 'd.q.r': '9', 'e.z': '1', 'e.y': '3',
    })
  })
})

describe('refused, with file, line and column', () => {
  const bomb = ['a0: &a0 [x]', ...Array.from({ length: 30 }, (_, index) => `a${index + 1}: &a${index + 1} [*a${index}, *a${index}, *a${index}]`)].join('\n')
  const cases: readonly [string, string, RegExp][] = [
    ['a duplicate key', 'a: 1\nb: 2\na: 3', /^f.yaml:3:1: .*twice/],
    ['a duplicate in other letters', 'a:\n  Bc: 1\n  bC: 2', /^f.yaml:3:3: .*`a.bc` is there twice/],
    ['a duplicate in another form', 'a: {b: 1}\n"a.b": 2', /^f.yaml:2:1: .*twice/],
    ['broken YAML', 'a: [1, 2\nb: 1', /^f.yaml:\d+:\d+: /],
    ['an unknown alias', 'a: *nobody', /^f.yaml:1:4: .*alias/i],
    ['a bomb of aliases', bomb, /more than 1000000 values|nested more/],
    ['a cycle of aliases', 'a: &a\n  b: *a', /nested more than 64/],
    ['depth', `a: ${'['.repeat(100)}${']'.repeat(100)}`, /nested more than 64/],
    ['absurd depth', `a: ${'['.repeat(50_000)}`, /f\.yaml/],
    ['a list at the top', '- a', /^f.yaml:1:1: expected a map/],
    ['a text at the top', 'hello', /^f.yaml:1:1: expected a map/],
    ['a map as a key', '? {a: 1}\n: 2', /^f.yaml:1:3: expected a plain key/],
    ['two documents', 'a: 1\n---\nb: 2', /^f.yaml:\d/],
    ['an empty key', '"": 1', /^f.yaml:1:1: expected `key`/],
    ['a bad merge', '<<: 5', /merge a map/],
  ]
  test.each(cases)('%s', (_, text, message) => {
    const params = createGlobalParamsTable()
    params.save('a', 'kept')
    expect(() => params.loadYamlText(text, 'f.yaml')).toThrow(message)
    expect(() => params.loadYamlText(text, 'f.yaml')).toThrow(expect.objectContaining({ code: 'PARAM_YAML' }))
    expect([...params.dump()]).toEqual([['a', 'kept']])
  })

  test('a text above the limit', () => {
    const params = createGlobalParamsTable()
    expect(() => params.loadYamlText(' '.repeat((16 << 20) + 1), 'f')).toThrow(expect.objectContaining({ code: 'PARAM_TOO_LARGE' }))
    expect(() => params.loadYamlText(5 as never, 'f')).toThrow(TypeError)
  })
})
