/** Random histories against a model that is too simple to be wrong: layers as plain maps, looked through from the strongest. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createGlobalParamsTable, isParamError } from '../src/index.ts'
import type { GlobalParamsTable, ParamSnapshot } from '../src/index.ts'

const ring = process.env['TIMETICK_RING']
const RUNS = ring === 'soak' ? 100_000 : ring === 'ci' ? 3_000 : 500

/** `new.a` was `old.a` and `older`; it is a number. */
const DECLARED = { key: 'New.A', type: 'int', default: 7, deprecatedKeys: ['old.A', 'older'] } as const
const OLD = ['old.a', 'older']
const KEYS = ['a', 'B', 'a.b', 'new.a', 'OLD.a', 'older', 'é', '\u{1f600}']
const RANK = ['kv', 'flags', 'file'] as const

type Command =
  | { readonly do: 'save'; readonly key: string; readonly value: string }
  | { readonly do: 'remove' | 'reset'; readonly key: string }
  | { readonly do: 'layer'; readonly kind: (typeof RANK)[number]; readonly name: string; readonly entries: readonly (readonly [string, string])[] }
  | { readonly do: 'drop'; readonly kind: (typeof RANK)[number]; readonly name: string }
  | { readonly do: 'declare' | 'snapshot' }

const key = fc.constantFrom(...KEYS)
const value = fc.constantFrom('1', '2', 'x', '')
const place = { kind: fc.constantFrom(...RANK), name: fc.constantFrom('p', 'q') }
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ do: fc.constant('save' as const), key, value }),
  fc.record({ do: fc.constantFrom('remove' as const, 'reset' as const), key }),
  fc.record({ do: fc.constant('layer' as const), ...place, entries: fc.array(fc.tuple(key, value), { maxLength: 4 }) }),
  fc.record({ do: fc.constant('drop' as const), ...place }),
  fc.record({ do: fc.constantFrom('declare' as const, 'snapshot' as const) }),
)

/** `undefined` as a value hides. */
class Model {
  runtime = new Map<string, string | undefined>()
  /** Strongest first. */
  layers: { kind: (typeof RANK)[number]; name: string; entries: Map<string, string> }[] = []
  isDeclared = false

  /** What counts of one layer: the present name before earlier ones. */
  static of(entries: ReadonlyMap<string, string | undefined>, isDeclared: boolean): Map<string, string | undefined> {
    if (!isDeclared) return new Map(entries)
    const found = new Map([...entries].filter(([id]) => !OLD.includes(id)))
    const name = ['new.a', ...OLD].find((id) => entries.has(id))
    return name === undefined ? found : found.set('new.a', entries.get(name))
  }

  id(name: string): string {
    return this.isDeclared && OLD.includes(name.toLowerCase()) ? 'new.a' : name.toLowerCase()
  }

  /** Weakest first, so that the stronger overwrite. */
  visible(runtime: ReadonlyMap<string, string | undefined> = this.runtime): Map<string, string> {
    const all = new Map<string, string | undefined>(this.isDeclared ? [['new.a', '7']] : [])
    for (const { entries } of [...this.layers].reverse()) for (const [id, text] of Model.of(entries, this.isDeclared)) all.set(id, text)
    for (const [id, text] of Model.of(runtime, this.isDeclared)) all.set(id, text)
    return new Map([...all].filter((pair): pair is [string, string] => pair[1] !== undefined))
  }

  /** False when the table must refuse it; the model is as before then. */
  apply(step: Command): boolean {
    const next = Object.assign(new Model(), { runtime: new Map(this.runtime), layers: this.layers.slice(), isDeclared: this.isDeclared })
    if (step.do === 'save') next.runtime.set(this.id(step.key), step.value)
    if (step.do === 'reset') next.runtime.delete(this.id(step.key))
    if (step.do === 'remove') {
      const id = this.id(step.key)
      next.runtime.delete(id)
      if (next.isBelow(id)) next.runtime.set(id, undefined)
    }
    if (step.do === 'declare') {
      next.isDeclared = true
    }
    if (step.do === 'drop') next.layers = next.layers.filter((layer) => layer.kind !== step.kind || layer.name !== step.name)
    if (step.do === 'layer') {
      const layer = { ...step, entries: new Map(step.entries.map(([name, text]) => [name.toLowerCase(), text])) }
      const at = next.layers.findIndex(({ kind, name }) => kind === step.kind && name === step.name)
      if (at >= 0) next.layers[at] = layer
      else next.layers = RANK.flatMap((kind) => [...(kind === step.kind ? [layer] : []), ...next.layers.filter((other) => other.kind === kind)])
    }
    if (next.isDeclared && !next.isValid()) return false
    if (step.do === 'declare') next.runtime = Model.of(next.runtime, true)
    Object.assign(this, next)
    return true
  }

  isBelow(id: string): boolean {
    return (id === 'new.a' && this.isDeclared) || this.layers.some(({ entries }) => Model.of(entries, this.isDeclared).has(id))
  }

  /** Every value under any name of the number must be one, also where it does not show. */
  isValid(): boolean {
    return [this.runtime, ...this.layers.map(({ entries }) => entries)].every((entries) => ['new.a', ...OLD].every((id) => ![undefined, '1', '2'].includes(entries.get(id)) === false))
  }
}

function perform(params: GlobalParamsTable, step: Command): boolean {
  try {
    if (step.do === 'save') params.save(step.key, step.value)
    else if (step.do === 'remove') params.remove(step.key)
    else if (step.do === 'reset') params.reset(step.key)
    else if (step.do === 'layer') params.setLayer(step)
    else if (step.do === 'drop') params.removeLayer(step.kind, step.name)
    else if (step.do === 'declare') params.declare(DECLARED)
    return true
  } catch (error) {
    if (!isParamError(error, 'PARAM_INVALID')) throw error
    return false
  }
}

test('layers, names, refusals, changes and snapshots are as the model has them', { timeout: 30_000 + RUNS * 10 }, () => {
  fc.assert(fc.property(fc.array(command, { maxLength: 25 }), (history) => {
    const params = createGlobalParamsTable()
    const model = new Model()
    /** What somebody who heard every change has. */
    const heard = new Map<string, string>()
    params.watch({ prefix: '' }, ({ changes }) => {
      for (const { key: id, value: text, oldValue } of changes) {
        expect(heard.get(id)).toBe(oldValue)
        if (text === undefined) heard.delete(id)
        else heard.set(id, text)
      }
    })
    const snapshots: [ParamSnapshot, Map<string, string>][] = []
    for (const step of history) {
      if (step.do === 'declare' && model.isDeclared) continue
      if (step.do === 'snapshot') snapshots.push([params.snapshot(), model.visible()])
      expect([step, perform(params, step)]).toEqual([step, model.apply(step)])
      const expected = model.visible()
      expect(heard).toEqual(expected)
      expect(params.dump()).toEqual(expected)
      for (const name of KEYS) {
        expect([name, params.load(name)]).toEqual([name, expected.get(model.id(name))])
        const { value: explained, layer } = params.explain(name)
        expect([name, explained, layer === undefined]).toEqual([name, expected.get(model.id(name)), explained === undefined && layer === undefined])
      }
      if (model.isDeclared && expected.has('new.a')) expect(params.getInt('older')).toBe(Number(expected.get('new.a')))
    }
    for (const [snapshot, expected] of snapshots) expect(new Map(snapshot.keys().map((id) => [id, snapshot.load(id)]))).toEqual(expected)
  }), { numRuns: RUNS })
})
