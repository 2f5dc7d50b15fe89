import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'tsup'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openFileMq } from '../src/file.ts'
import { MsgType, openMsgStream } from '../src/index.ts'
import { seeded } from './faulty-fs.ts'
import { inRing } from './ring.ts'
import { pause } from './services.edge.ts'

const root = mkdtempSync(join(tmpdir(), 'timetick-once-'))
const programs = ['producer-child', 'copier-child']
const children = new Set<ChildProcess>()

beforeAll(async () => {
  const entry = programs.map((name) => join(import.meta.dirname, `${name}.ts`))
  await build({ entry, outDir: root, format: 'esm', target: 'es2023', config: false, silent: true, splitting: false, outExtension: () => ({ js: '.mjs' }) })
}, 60_000)
afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(root, { recursive: true, force: true })
})

/** Runs a program again and again, killed at random, and at last to its end. */
async function runUntilDone(name: string, args: readonly string[], kills: number, random: () => number): Promise<void> {
  for (let run = 0; ; run++) {
    const child = spawn(process.execPath, [join(root, `${name}.mjs`), ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    children.add(child)
    const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
    const opened = new Promise((resolve) => child.stdout.once('data', resolve))
    child.stdout.resume()
    if (run < kills) {
      await Promise.race([opened, exited])
      await Promise.race([pause(random() * 150), exited])
      child.kill('SIGKILL')
    }
    const code = await exited
    children.delete(child)
    if (code === 0) return
    expect(code, `${name} failed by itself`).toBe(null)
  }
}

it('producer and consumer are killed again and again: every message is applied exactly once, in order', async () => {
  const seed = 77
  const total = inRing(6000, 50_000, 500_000)
  const [path, file] = [join(root, 'queue'), join(root, 'state.json')]
  const mq = await openFileMq({ path })
  for (const channel of ['a', 'b']) await mq.createChannel(channel)
  await mq.close()
  await Promise.all([
    runUntilDone('producer-child', [path, String(total)], inRing(3, 12, 100), seeded(seed)),
    runUntilDone('copier-child', [path, file], inRing(5, 25, 300), seeded(seed + 1)),
  ])
  const state = JSON.parse(readFileSync(file, 'utf8')) as { applied: Record<string, number>; wrong: string[]; starts: number }
  expect(state.wrong.slice(0, 5)).toEqual([])
  // The log is the truth: what an unacknowledged write left in it counts too, once.
  const queue = await openFileMq({ path })
  const stream = await openMsgStream({ mq: queue })
  await stream.asConsumer(['a', 'b'], { from: 'earliest' })
  const inLog: Record<string, number> = { a: 0, b: 0 }
  for await (const { msgs } of stream) for (const { type, position } of msgs) if (type === MsgType.insert) inLog[position?.channel ?? ''] = (inLog[position?.channel ?? ''] ?? 0) + 1
  expect(state.applied).toEqual(inLog)
  expect(inLog).toEqual({ a: total, b: total })
  expect(state.starts).toBeGreaterThan(1)
  await stream.close()
  await queue.close()
}, 300_000)
