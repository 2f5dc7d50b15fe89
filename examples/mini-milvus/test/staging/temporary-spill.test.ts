/** Where proxies that share a place keep what is too much for memory. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createTemporarySpill } from '../../src/staging/spill.edge.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spill-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

it('each has a folder of its own, made when it is needed, and no file in it has a name', async () => {
  const within = join(folder, 'staged')
  const [one, two] = [createTemporarySpill(within), createTemporarySpill(within)]
  expect(await readdir(folder)).toEqual([])
  await one.clear()
  const files = [await one.create(), await one.create(), await two.create()]
  for (const [index, file] of files.entries()) expect(await file.append(new Uint8Array([index, 9]))).toBe(0)
  for (const [index, file] of files.entries()) expect([...(await file.read(0, 2))]).toEqual([index, 9])
  const folders = await readdir(within)
  expect(folders).toHaveLength(2)
  for (const name of folders) expect(await readdir(join(within, name))).toEqual([])
  for (const file of files) await file.close()
  await one.clear()
  expect(await readdir(within)).toHaveLength(1)
  await two.clear()
  expect(await readdir(within)).toEqual([])
})
