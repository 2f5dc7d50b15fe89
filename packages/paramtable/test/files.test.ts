import { rename, rm, symlink, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openFileParams } from '../src/files.ts'
import { createGlobalParamsTable, isParamError } from '../src/index.ts'
import type { Clock, ParamChanges, ParamDeclaration } from '../src/index.ts'
import { valuesOf, withFolder } from './helpers.ts'

const declarations: readonly ParamDeclaration[] = [{ key: 'http.port', type: 'int' }]

/** Timers that fire when told; the wall clock is far ahead, so that files count as written long ago, or far behind. */
class ManualClock implements Clock {
  readonly timers = new Set<() => void>()
  wall: number = Number.MAX_SAFE_INTEGER

  now(): number {
    return this.wall
  }

  monotonic(): number {
    return 0
  }

  setTimer(callback: () => void): () => void {
    this.timers.add(callback)
    return () => void this.timers.delete(callback)
  }

  fire(): void {
    const due = [...this.timers]
    this.timers.clear()
    for (const callback of due) callback()
  }
}

describe('files that are followed', () => {
  test('are put in in order, and a change of several is one step', async () => {
    await withFolder(async (folder) => {
      const [a, b] = [join(folder, 'a.yaml'), join(folder, 'b.toml')]
      await writeFile(a, 'x: 1\ny: 1\n')
      await writeFile(b, 'y = 2\nz = 2\n')
      const table = createGlobalParamsTable()
      const files = await openFileParams({ table, files: [a, { path: b }], everyMs: 0 })
      expect(valuesOf(table)).toEqual({ x: '1', y: '2', z: '2' })
      const batches: ParamChanges[] = []
      table.watch({ prefix: '' }, (batch) => void batches.push(batch))
      expect(await files.refresh()).toBe(false)
      await writeFile(a, 'x: 3\ny: 3\n')
      await writeFile(b, 'z = 3\n')
      expect(await files.refresh()).toBe(true)
      expect(batches.map(({ changes }) => changes.map(({ key, value }) => `${key}=${value}`))).toEqual([['x=3', 'y=3', 'z=3']])
      expect(table.explain('z').source).toBe(`${b}:1:1`)
      await files.close()
      await files.close()
      await expect(files.refresh()).rejects.toSatisfy((error) => isParamError(error, 'PARAM_SOURCE_FAILED'))
      expect(table.load('x')).toBe('3')
    })
  })

  test('keep the last good values of all when one is bad, gone or unreadable, tell it once, and heal (P1)', async () => {
    await withFolder(async (folder) => {
      const [a, b] = [join(folder, 'a.yaml'), join(folder, 'b.json')]
      await writeFile(a, 'http:\n  port: 1\n')
      await writeFile(b, '{"other": 1}')
      const table = createGlobalParamsTable({ declarations })
      const clock = new ManualClock()
      const problems: unknown[] = []
      const files = await openFileParams({ table, files: [a, b], clock, onProblem: (error) => void problems.push(error) })
      const look = async (): Promise<void> => {
        clock.fire()
        await expect.poll(() => clock.timers.size).toBe(1)
      }
      const bad = ['http:\n  port: x\n', 'http: [', 'http: {port: 1}\nhttp: {}', undefined]
      for (const [index, text] of bad.entries()) {
        if (text === undefined) await rm(a)
        else await writeFile(a, text)
        await writeFile(b, `{"other": ${index + 2}}`)
        await look()
        await look()
        expect(problems).toHaveLength(index + 1)
        expect(valuesOf(table)).toEqual({ 'http.port': '1', other: '1' })
      }
      expect(problems.map((error) => isParamError(error) && error.code)).toEqual(['PARAM_INVALID', 'PARAM_YAML', 'PARAM_YAML', 'PARAM_SOURCE_FAILED'])
      await writeFile(a, 'http:\n  port: 2\n')
      await look()
      expect(valuesOf(table)).toEqual({ 'http.port': '2', other: '5' })
      await files.close()
      expect(clock.timers.size).toBe(0)
    })
  })

  test('follow a link that is swapped, as Kubernetes does with a ConfigMap', async () => {
    await withFolder(async (folder) => {
      for (const version of ['1', '2']) {
        await mkdir(join(folder, version))
        await writeFile(join(folder, version, 'a.yaml'), `a: ${version}\n`)
        await writeFile(join(folder, version, 'b.yaml'), `b: ${version}\n`)
      }
      await symlink('1', join(folder, 'data'))
      const table = createGlobalParamsTable()
      const files = await openFileParams({ table, files: ['a.yaml', 'b.yaml'].map((name) => join(folder, 'data', name)), clock: new ManualClock() })
      await symlink('2', join(folder, 'next'))
      await rename(join(folder, 'next'), join(folder, 'data'))
      expect(await files.refresh()).toBe(true)
      expect(valuesOf(table)).toEqual({ a: '2', b: '2' })
      await files.close()
    })
  })

  test('are read again while they may have been written within one tick of the file system', async () => {
    await withFolder(async (folder) => {
      const path = join(folder, 'a.yaml')
      const table = createGlobalParamsTable()
      const clock = new ManualClock()
      clock.wall = 0
      await writeFile(path, 'a: 1\n')
      const files = await openFileParams({ table, files: [path], clock })
      for (let n = 2; n < 50; n++) {
        await writeFile(path, `a: ${n % 10}\n`)
        await files.refresh()
        expect(table.load('a')).toBe(String(n % 10))
      }
      await files.close()
    })
  })

  test('may be missing at first, if that is said, and keep their place', async () => {
    await withFolder(async (folder) => {
      const [a, b] = [join(folder, 'a.yaml'), join(folder, 'b.yaml')]
      const table = createGlobalParamsTable()
      await writeFile(b, 'x: b\n')
      await expect(openFileParams({ table, files: [a, b] })).rejects.toSatisfy((error) => isParamError(error, 'PARAM_SOURCE_FAILED'))
      expect(valuesOf(table)).toEqual({})
      const files = await openFileParams({ table, files: [a, b], mayBeMissing: true, everyMs: 0 })
      await writeFile(a, 'x: a\ny: a\n')
      expect(await files.refresh()).toBe(true)
      expect(valuesOf(table)).toEqual({ x: 'b', y: 'a' })
      await rm(b)
      await expect(files.refresh()).rejects.toSatisfy((error) => isParamError(error, 'PARAM_SOURCE_FAILED'))
      expect(valuesOf(table)).toEqual({ x: 'b', y: 'a' })
      await files.close()
    })
  })

  test('readers never see a mixture, whatever is written while', async () => {
    await withFolder(async (folder) => {
      const paths = ['a.yaml', 'b.json', 'c.toml'].map((name) => join(folder, name))
      const write = async (n: number): Promise<void> => {
        const texts = [`a: ${n}\n`, `{"b": ${n}}`, `c = ${n}\n`]
        await mkdir(join(folder, `v${n}`))
        for (const [index, name] of ['a.yaml', 'b.json', 'c.toml'].entries()) await writeFile(join(folder, `v${n}`, name), texts[index] ?? '')
        await symlink(`v${n}`, join(folder, 'next'))
        await rename(join(folder, 'next'), join(folder, 'data'))
      }
      await write(0)
      const table = createGlobalParamsTable()
      const files = await openFileParams({ table, files: paths.map((path) => path.replace(folder, join(folder, 'data'))), clock: new ManualClock() })
      const seen = new Set<string>()
      table.watch({ prefix: '' }, () => void seen.add(Object.values(valuesOf(table)).join(' ')))
      let isWriting = true
      const writing = (async () => {
        for (let n = 1; n <= 60; n++) await write(n)
        isWriting = false
      })()
      while (isWriting) await files.refresh().catch((error: unknown) => expect(isParamError(error, 'PARAM_SOURCE_FAILED')).toBe(true))
      await writing
      await files.refresh()
      expect([...seen].filter((values) => new Set(values.split(' ')).size > 1)).toEqual([])
      expect(valuesOf(table)).toEqual({ a: '60', b: '60', c: '60' })
      await files.close()
    })
  })

  test('refuse bad arguments and aborted signals', async () => {
    const table = createGlobalParamsTable()
    const bad = [undefined, { table }, { table, files: [] }, { table, files: ['x.pdf'] }, { table, files: [5] }, { table, files: ['a.yaml', 'a.yaml'] }, { table, files: ['a.yaml'], everyMs: -1 }, { table, files: ['a.yaml'], everyMs: NaN }]
    for (const options of bad) await expect(openFileParams(options as never)).rejects.toThrow(/^expected/)
    const reason = new Error('no')
    await expect(openFileParams({ table, files: ['a.yaml'], signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})
