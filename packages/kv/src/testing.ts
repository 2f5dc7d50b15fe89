/**
 * The contract as tests, for any store behind `KVBase`. It uses `node:assert/strict` and the runner that it is given.
 *
 * @example
 * import { describe, it } from 'vitest'
 * testKV('mine', { runner: { describe, it }, create: () => openMine() })
 */
import assert from 'node:assert/strict'
import { argumentTests } from './testing/arguments.ts'
import { bytesTests } from './testing/bytes.ts'
import { conditionTests } from './testing/conditions.ts'
import { differentialTests } from './testing/differential.ts'
import { historyTests } from './testing/kv-history.ts'
import { type Kit, type KVKitOptions, makeKit } from './testing/kit.ts'
import { leaseTests } from './testing/leases.ts'
import { lifecycleTests, viewTests } from './testing/lifecycle.ts'
import { prefixTests } from './testing/prefixes.ts'
import { readTests } from './testing/reads.ts'
import { restartTests } from './testing/restart.ts'
import { boundedTests, disruptTests } from './testing/watch-bounds.ts'
import { watchTests } from './testing/watches.ts'
import { writeTests } from './testing/writes.ts'

export { kvModel, KVRecorder } from './testing/kv-history.ts'
export type { KVInput, KVOutput } from './testing/kv-history.ts'
export { checkLinearizable } from './testing/linearizability.ts'
export type { HistoryCall, LinearizabilityOptions, LinearizabilityResult, SequentialModel } from './testing/linearizability.ts'
export type { KitRunner, KVKitOptions } from './testing/kit.ts'

/** Registers the tests of the contract under `name`, once on the store and once on a prefix view of it. */
export function testKV(name: string, options: KVKitOptions): void {
  const { describe } = options.runner
  describe(`${name}: KVBase`, () => {
    const kit = makeKit(options)
    featureTests(kit, options)
    lifecycleTests(kit)
    contract(kit)
    restartTests(kit)
    boundedTests(kit)
    disruptTests(kit)
  })
  describe(`${name}: KVBase through withPrefix`, () => {
    const kit = makeKit(options, 'kit/view/')
    viewTests(kit)
    contract(kit)
  })
}

function contract(kit: Kit): void {
  argumentTests(kit)
  readTests(kit)
  writeTests(kit)
  prefixTests(kit)
  conditionTests(kit)
  bytesTests(kit)
  leaseTests(kit)
  watchTests(kit)
  differentialTests(kit)
  historyTests(kit)
}

function featureTests(kit: Kit, options: KVKitOptions): void {
  kit.test('features are frozen and as declared', async (kv) => {
    assert.ok(Object.isFrozen(kv.features))
    for (const [key, value] of Object.entries(options.features ?? {})) {
      assert.deepEqual(kv.features[key as keyof typeof kv.features], value, `features.${key}`)
    }
    assert.equal(kv.bytes.features.backend, kv.features.backend)
  })
}
