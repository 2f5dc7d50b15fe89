import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import type { GlobalParamsTable } from '../src/index.ts'

export async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'paramtable-'))
  try {
    await run(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** All values as they are. */
export function valuesOf(params: GlobalParamsTable): Record<string, string> {
  return Object.fromEntries(params.snapshot().keys().map((key) => [key, params.load(key) ?? '']))
}

/** All that a thing shows of itself, to logs and to JSON. */
export function shown(value: unknown): string {
  return `${inspect(value, { depth: 20, showHidden: true })} ${JSON.stringify(value) ?? ''} ${String(value)}`
}

/** What a call throws. */
export function thrown(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  throw new Error('expected a throw')
}
