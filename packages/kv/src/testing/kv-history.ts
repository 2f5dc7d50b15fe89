/** Histories of a store: recorded calls of concurrent clients, and the model of one key that must explain them. */
import assert from 'node:assert/strict'
import { isKVError } from '../errors.ts'
import type { KVBase, Revision } from '../kv.ts'
import type { Kit } from './kit.ts'
import { checkLinearizable, type HistoryCall, type LinearizabilityResult, type SequentialModel } from './linearizability.ts'
import { randomFrom } from './random.ts'

export type KVInput =
  | { readonly kind: 'load'; readonly key: string }
  | { readonly kind: 'save'; readonly key: string; readonly value: string }
  | { readonly kind: 'remove'; readonly key: string }
  | { readonly kind: 'compareAndSave'; readonly key: string; readonly expected: Revision; readonly value: string }

/** `value` and `revision` of a load (both absent: no such key), `revision` of a save, `applied` of a compareAndSave. */
export interface KVOutput {
  readonly value?: string | undefined
  readonly revision?: Revision | undefined
  readonly applied?: boolean | undefined
}

/** `revision: undefined` of a value that is there: saved by a call whose answer was lost. */
interface KeyState {
  readonly value: string | undefined
  readonly revision: Revision | undefined
}

const ABSENT: KeyState = { value: undefined, revision: undefined }

/** One key of a store, for {@link checkLinearizable}. */
export const kvModel: SequentialModel<KeyState, KVInput, KVOutput> = {
  initial: ABSENT,
  partition: (input) => input.key,
  identify: ({ value, revision }) => `${revision ?? '?'} ${value === undefined ? '-' : `=${value}`}`,
  step(state, input, output) {
    switch (input.kind) {
      case 'load': {
        if (output === undefined) return state
        if (output.value !== state.value) return undefined
        if (state.value === undefined || state.revision === output.revision) return state
        // The first to see what a lost answer did.
        return state.revision === undefined ? { value: state.value, revision: output.revision } : undefined
      }
      case 'save': {
        const revision = output?.revision
        if (revision !== undefined && state.revision !== undefined && revision <= state.revision) return undefined
        return { value: input.value, revision }
      }
      case 'remove':
        return ABSENT
      case 'compareAndSave': {
        // A revision that no load has shown yet cannot be what somebody expects.
        const holds = state.value === undefined ? input.expected === 0n : state.revision === input.expected
        if (output?.applied !== undefined && output.applied !== holds) return undefined
        return holds ? { value: input.value, revision: undefined } : state
      }
    }
  },
}

/** Calls the store and writes down what was asked and answered. */
export class KVRecorder {
  readonly calls: HistoryCall<KVInput, KVOutput>[] = []
  readonly #kv: KVBase
  #time = 0

  constructor(kv: KVBase) {
    this.#kv = kv
  }

  /** Failed reads and writes that were surely not applied leave no trace; those of unknown outcome may still happen at any time. */
  async call(input: KVInput): Promise<KVOutput | undefined> {
    const start = this.#time++
    try {
      const output = await this.#act(input)
      this.calls.push({ input, output, start, end: this.#time++ })
      return output
    } catch (error) {
      if (!isKVError(error)) throw error
      if (input.kind !== 'load' && error.outcome !== 'not-applied') this.calls.push({ input, start, end: Infinity })
      return undefined
    }
  }

  check(): LinearizabilityResult<KVInput, KVOutput> {
    return checkLinearizable(kvModel, this.calls)
  }

  async #act(input: KVInput): Promise<KVOutput> {
    switch (input.kind) {
      case 'load': {
        const entry = await this.#kv.loadEntry(input.key)
        return { value: entry?.value, revision: entry?.modRevision }
      }
      case 'save':
        return { revision: await this.#kv.save(input.key, input.value) }
      case 'remove':
        await this.#kv.remove(input.key)
        return {}
      case 'compareAndSave':
        return { applied: await this.#kv.compareAndSave(input.key, input.expected, input.value) }
    }
  }
}

const CLIENTS = 8

/** One of the concurrent clients: random calls, comparing with what it saw last. */
export async function runClient(recorder: KVRecorder, name: number, options: { readonly seed: number; readonly calls: number; readonly keys: readonly string[] }): Promise<void> {
  const random = randomFrom(options.seed * 31 + name)
  const seen = new Map<string, Revision>()
  for (let round = 0; round < options.calls; round++) {
    const key = options.keys[Math.floor(random() * options.keys.length)] ?? 'a'
    const value = `${name}.${round}`
    const dice = random()
    if (dice < 0.4) {
      const output = await recorder.call({ kind: 'load', key })
      if (output !== undefined) seen.set(key, output.revision ?? 0n)
    } else if (dice < 0.7) await recorder.call({ kind: 'save', key, value })
    else if (dice < 0.8) await recorder.call({ kind: 'remove', key })
    else await recorder.call({ kind: 'compareAndSave', key, expected: seen.get(key) ?? 0n, value })
  }
}

export function assertLinearizable(recorder: KVRecorder, where: string): void {
  const { ok, gaveUp, failure } = recorder.check()
  if (ok) return
  const text = (call: HistoryCall<KVInput, KVOutput> | undefined): string => (call === undefined ? 'nothing' : `${call.start}..${call.end} ${show(call.input)} -> ${show(call.output)}`)
  const last = failure?.explained.slice(-6).map(text).join('\n  ') ?? ''
  assert.fail(`${where}: ${gaveUp ? 'the search was given up' : 'not linearisable'} at key ${failure?.partition}\n  ${last}\nstuck at ${text(failure?.stuckAt)}`)
}

function show(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? `${item}n` : item)) ?? 'unknown'
}

export function historyTests(kit: Kit): void {
  kit.test('histories of concurrent clients are linearisable', async (kv) => {
    const seed = kit.options.seed ?? 20_220_901
    const recorder = new KVRecorder(kv)
    const keys = ['a', 'b', 'c', 'd']
    await Promise.all(Array.from({ length: CLIENTS }, (_, name) => runClient(recorder, name, { seed, calls: 50, keys })))
    assertLinearizable(recorder, `SEED=${seed}`)
  })
}
