/** Files and values of anybody: read, or refused with file, line and column. */
import { fuzz, textNear } from '@timetick/tools/fuzz'
import { describe, expect, it } from 'vitest'
import { flattenDotenv } from '../src/dotenv-text.ts'
import { createGlobalParamsTable, isParamError } from '../src/index.ts'
import { flattenJson } from '../src/json-text.ts'
import { flattenToml } from '../src/toml-text.ts'
import { flattenYaml, parseYaml } from '../src/yaml-text.ts'

const runs = { ci: 10_000, soak: 500_000 }[process.env['TIMETICK_RING'] ?? ''] ?? 1000
const yaml = ['a:\n  b: 1\n  c: [1, "x", {d: ~}]\n# note\ne: |\n  text\n  more\n', 'x: &a {k: 1}\ny: *a\nz: !!str 010\n', '"q\\u00e9": \'it\'\'s\'\n? k\n: v\n--- \n', 'a: 1.10\nb: 00012345678901234567890\n<<: {c: 1}\n']

describe('reads what nobody meant', { timeout: 300_000 }, () => {
  it('YAML', () => fuzz(textNear(yaml, ['&a ', '*a', '!!binary ', '<<: ', '? ', '|', '>-', '---\n', '...\n', '%YAML 1.2\n']), (text) => flattenYaml(text, 'a.yaml'), isParamError, runs))

  it('YAML: what the quick reader takes is what the parser says', () =>
    fuzz(textNear(yaml), (text) => expect([...flattenYaml(text, 'a.yaml').entries]).toEqual([...parseYaml(text, 'a.yaml').entries]), isParamError, runs))

  it('JSON', () => fuzz(textNear(['{"a":{"b":[1,2.50,"x",null,true]},"c":"\\u00e9"}', '[1]', '{"a":1,"a":2}']), (text) => flattenJson(text, 'a.json'), isParamError, runs))

  it('TOML', () => fuzz(textNear(['a = 1\n[b.c]\nd = "x" # y\n[[e]]\nf = 1979-05-27T07:32:00Z\n', "a.b = '''x\ny'''\nc = {d = 0x1F, e = [1, 2]}\n"], ['[[', ']]', '"""', "'''", 'inf', '+nan']), (text) => flattenToml(text, 'a.toml'), isParamError, runs))

  it('.env', () => fuzz(textNear(['A=1\nexport B = "x\\n$C"\nD=\'it\'\n# c\nE=`a\nb`\n']), (text) => flattenDotenv(text, '.env'), isParamError, runs))

  it('values of declared parameters', () => {
    const types = ['int', 'float', 'bool', 'durationMs', 'bytes', 'json', 'list'] as const
    const table = createGlobalParamsTable({ declarations: types.map((type) => ({ key: type, type })) })
    return fuzz(textNear(['12', '-1.5e3', 'true', '10ms', '1h30m', '64MiB', '{"a":[1]}', 'a,b,"c,d"']), (text) => {
      for (const type of types) {
        try {
          table.save(type, text)
        } catch (error) {
          // A lone surrogate is no text at all.
          if (!isParamError(error) && !(error instanceof RangeError)) throw error
        }
      }
    }, () => false, runs)
  })
})
