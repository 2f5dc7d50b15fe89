import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLmdbKV } from '@timetick/kv/lmdb'
import { bundleFixture, startChild } from '@timetick/tools/child'
import { expect, onTestFinished, test } from 'vitest'
import { seeded } from '../src/testing.ts'
import { expectedEffects } from './ledger-graph.ts'

const SECONDS = { ci: 30, soak: 120 }[process.env['TIMETICK_RING'] ?? ''] ?? 4
const SEED = 7

test(`kill -9 at any moment for ${SECONDS} s, state and effects in lmdb: every effect once`, { timeout: SECONDS * 1_000 + 120_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'flow-crash-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'kv')
  const file = await bundleFixture(import.meta.dirname, 'ledger-process', 'crash')
  const random = seeded(SEED)
  const end = performance.now() + SECONDS * 1_000
  let kills = 0
  let saves = 0
  while (kills < 2 || performance.now() < end) {
    const child = startChild(file, [path])
    onTestFinished(() => void child.process.kill('SIGKILL'))
    // One in four dies before it has saved anything, maybe while it opens the store.
    if (random() < 0.25) await new Promise((resolve) => setTimeout(resolve, random() * 300))
    else {
      await child.line('saved', 1 + Math.floor(random() * 4))
      await new Promise((resolve) => setTimeout(resolve, random() * 20))
    }
    child.process.kill('SIGKILL')
    await child.exited
    saves += child.lines.length
    kills++
  }
  const last = startChild(file, [path])
  onTestFinished(() => void last.process.kill('SIGKILL'))
  await last.line('saved', 2)
  last.process.kill('SIGTERM')
  await last.line('ended')
  await last.exited
  const lastTick = Number(last.lines.at(-1)?.split(' ')[1])

  const kv = await openLmdbKV({ path })
  onTestFinished(() => kv.close())
  const found = new Map<string, string>()
  for (const prefix of ['effect/', 'sum/']) {
    for (let after: string | undefined; ; ) {
      const { keys, values } = await kv.loadWithPrefix(prefix, { limit: 1_000, startAfter: after })
      for (const [i, key] of keys.entries()) found.set(key, values[i] ?? '')
      after = keys.at(-1)
      if (keys.length < 1_000) break
    }
  }
  console.log(`${kills} kills, ${saves} checkpoints, ${lastTick} ticks, ${found.size} effects`)
  expect(lastTick).toBeGreaterThan(kills)
  expect(found).toEqual(expectedEffects(lastTick))
})
