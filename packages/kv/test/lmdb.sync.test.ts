/** The system's calls fail, or kill the process, at each of its syncs: strace stands between. */
import { execFileSync } from 'node:child_process'
import { bundleFixture, startChild } from '@timetick/tools/child'
import { describe, expect, it } from 'vitest'
import { openLmdbKV } from '../src/lmdb.ts'
import { freshFolders } from './folders.edge.ts'

const fresh = freshFolders()

function hasStrace(): boolean {
  try {
    execFileSync('strace', ['-f', '-o', '/dev/null', 'true'], { stdio: 'ignore' })
    return true
  } catch {
    console.warn('the tests of failing syncs are left out: there is no strace that may trace')
    return false
  }
}

async function runWith(inject: string, mode: string): Promise<{ path: string; lines: readonly string[] }> {
  const path = await fresh()
  const file = await bundleFixture(import.meta.dirname, 'syncs', 'syncs')
  // The counters are per thread: one thread of the pool.
  const child = startChild(file, [path, mode], { command: ['strace', '-f', '-q', '-o', '/dev/null', '-e', 'trace=fdatasync,fsync', '-e', `inject=fdatasync,fsync:${inject}`], env: { UV_THREADPOOL_SIZE: '1' } })
  await child.exited
  return { path, lines: child.lines }
}

/** What was acknowledged is there after a start, and it starts at the first try. */
async function expectKept(path: string, lines: readonly string[]): Promise<void> {
  const kv = await openLmdbKV({ path })
  const { keys } = await kv.loadWithPrefix('')
  for (const line of lines) if (line.startsWith('ack ')) expect(keys).toContain(line.slice(4))
  const left = keys.filter((key) => key.startsWith('left')).map((key) => key.slice(5))
  expect(keys.filter((key) => key.startsWith('right')).map((key) => key.slice(6)), 'whole transactions').toEqual(left)
  await kv.save('again', '1')
  await kv.close()
}

describe.skipIf(!hasStrace())('with failing syncs', () => {
  it('kill -9 at each sync in turn, from the first creation on, leaves a store that opens', { timeout: 120_000 }, async () => {
    let kills = 0
    for (let when = 1; when <= 12; when++) {
      const { path, lines } = await runWith(`signal=SIGKILL:when=${when}`, 'pairs')
      if (!lines.includes('done')) kills++
      await expectKept(path, lines)
    }
    expect(kills).toBeGreaterThan(6)
  })

  it('one EIO: the write is unknown, the store has failed for good, the process lives, and a new one opens what was acknowledged', { timeout: 120_000 }, async () => {
    let failed = 0
    for (let when = 4; when <= 9; when++) {
      const { path, lines } = await runWith(`error=EIO:when=${when}`, 'pairs')
      expect(lines.at(-1)).toMatch(/^(done|open failed KV_STORAGE_FAILED)$/)
      const first = lines.find((line) => line.startsWith('refused'))
      if (first === undefined) continue
      failed++
      expect(first).toBe('refused KV_STORAGE_FAILED unknown')
      const behind = lines.slice(lines.indexOf(first) + 1)
      expect(behind.filter((line) => line.startsWith('ack'))).toEqual([])
      expect(behind).toContain('refused KV_STORAGE_FAILED not-applied')
      await expectKept(path, lines)
    }
    expect(failed).toBeGreaterThan(1)
  })
})
