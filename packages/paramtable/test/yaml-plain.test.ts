import { describe, expect, it } from 'vitest'
import { readPlainYaml } from '../src/yaml-plain.ts'
import { flattenYaml, parseYaml } from '../src/yaml-text.ts'

/** A small seeded generator (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

const KEYS = ['a', 'B', 'b', 'c.d', 'e-f', '_g', 'null', 'true', 'y', 'a1', 'ab.c', 'key:', '"q"', '-', '?', '1', '<<', '*x', '&x a', '!t b', 'ü', 'x y']
const VALUES = [
  '', ' ', ' 1', ' 0777', ' 1.10', ' ~', ' null', ' "x"', " 'x'", ' "a\\nb"', " 'it''s'", ' a b', ' a: b', ' a:b', ' a:', ' http://h:1/x?a=b#c', ' a #c', ' #c', ' # "', ' a#c',
  ' -1', ' - 1', ' --x', ' [1, 2]', ' {a: 1}', ' |', ' >', ' &x 1', ' *x', ' !t 1', ' @x', ' `x', ' %x', ' "open', " 'open", ' "a" b', ' a "b"', ' ?x', ' ? x', ' :x', ' ,x', ' ...', ' ---', ' a\tb', '\t1',
  ' a,b', ' ü', ' 1  ', ' \u0001', ' .5', ' +1', ' /x/y', ' $x', ' (x)', ' =', ' a]', ' a}', ' "" ', " ''", ' \u00a0x', ' a\u0085b', ' a\u2028b', ' a\ufeff', ' x\u{1f600}',
]

/** Lines of texts that are nearly right. */
function make(random: () => number): string {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
  const wild = random() < 0.5
  const lines: string[] = []
  let depth = 0
  for (let n = Math.floor(random() * 8); n >= 0; n--) {
    const kind = random()
    if (kind < 0.08) lines.push(pick(['', '  ', '# c', '   # c', '---', '...', '\t', '%YAML 1.2', '- x', '  text', '\ufeff', '# \u0001']))
    else {
      const key = wild ? pick(KEYS) : `${pick(KEYS.slice(0, 6))}${Math.floor(random() * 30)}`
      lines.push(`${'  '.repeat(depth)}${random() < 0.04 ? ' ' : ''}${key}:${wild || random() < 0.3 ? pick(VALUES) : pick(VALUES.slice(0, 9))}`)
    }
    depth = Math.max(0, depth + Math.floor(random() * 3.6) - 1 - (random() < 0.2 ? 1 : 0))
  }
  return lines.join(random() < 0.2 ? '\r\n' : '\n') + (random() < 0.5 ? '\n' : '')
}

describe('the quick reader of plain YAML', () => {
  it('agrees with the parser on every text that it takes', () => {
    const base = Number(process.env['SEED'] ?? 7)
    let taken = 0
    for (let seed = base; seed < base + 6_000; seed++) {
      const text = make(seeded(seed))
      const quick = readPlainYaml(text)
      if (quick === undefined) continue
      taken++
      const slow = parseYaml(text, 'x')
      const say = `seed ${seed}: ${JSON.stringify(text)}`
      expect([...quick].map(([key, { value }]) => [key, value]), `${say}`).toEqual([...slow.entries].map(([key, { value }]) => [key, value]))
      const flat = flattenYaml(text, 'x')
      for (const [key, { offset }] of flat.entries) expect(flat.where(offset), `${say}`).toBe(slow.where(slow.entries.get(key)?.offset ?? -1))
    }
    expect(taken).toBeGreaterThan(500)
  })

  it('takes what files of parameters are made of', () => {
    const text = '# Parameters\nproxy:\n  port: 19530 # of gRPC\n  name: "a b"\n\n  http:\n    enabled: true\netcd:\n  rootPath: by-dev\nempty:\n'
    expect([...(readPlainYaml(text) ?? [])].map(([key, { value }]) => [key, value])).toEqual([
      ['proxy.port', '19530'], ['proxy.name', 'a b'], ['proxy.http.enabled', 'true'], ['etcd.rootpath', 'by-dev'], ['empty', ''],
    ])
  })
})
