/**
 * A whole import: files to batches, batches to segments. It knows no thread, no store and no time, only its world. Whenever the
 * buffers are emptied it says so, and can be taken up again from there.
 */
import type { Column, RowBatch } from '../model/column.ts'
import { primaryKeyColumn } from '../model/primary-keys.ts'
import { DataType, primaryField } from '../model/schema.ts'
import { withFunctionOutputs } from '../proxy/function-outputs.ts'
import type { Pause } from '../segment/index.ts'
import { openFiles } from './open-file.ts'
import type { ImportPlan, ImportWorld } from './plan.ts'
import type { ReadOptions } from './reader.ts'
import { SegmentBuffers } from './segments.ts'
import type { BulkFile } from './source.ts'

/** @param pause lets other work run, where there is some */
export async function runImport(plan: ImportPlan, world: ImportWorld, pause: Pause): Promise<void> {
  const run = new ImportRun(plan, world, pause)
  for (let file = plan.from.file; file < plan.files.length; file++) await run.readFile(file, file === plan.from.file ? plan.from.row : 0)
  await run.finish()
}

class ImportRun {
  readonly #plan: ImportPlan
  readonly #world: ImportWorld
  readonly #pause: Pause
  readonly #buffers: SegmentBuffers
  readonly #options: ReadOptions
  /** Rows of files since the last checkpoint. */
  #rows: { file: number; rows: number; isWhole: boolean }[] = []

  constructor(plan: ImportPlan, world: ImportWorld, pause: Pause) {
    this.#plan = plan
    this.#world = world
    this.#pause = pause
    const { collection, separator, nullText } = plan
    this.#buffers = new SegmentBuffers(collection, plan.partitionId)
    const allowInsertAutoId = collection.properties['allow_insert_auto_id']?.toLowerCase() === 'true'
    this.#options = { schema: collection.schema, allowInsertAutoId, separator, nullText }
  }

  async readFile(file: number, from: number): Promise<void> {
    const sources = (this.#plan.files[file] ?? []).map(({ path, bytes }, part): BulkFile => ({ path, bytes, read: (offset, length) => this.#world.read(file, part, offset, length) }))
    const reader = await openFiles(sources, this.#options)
    const { totalRows } = reader
    this.#world.progress({ file, totalRows, read: 0 })
    for await (const { batch, firstRow, read } of reader.batches(from)) {
      this.#buffers.add(await this.#complete(batch))
      this.#counter(file).rows += batch.length
      this.#world.progress({ file, totalRows, read })
      if (this.#buffers.bytes >= this.#plan.sealBytes) await this.#seal({ file, row: firstRow + batch.length })
      await this.#pause()
    }
    this.#counter(file).isWhole = true
  }

  async finish(): Promise<void> {
    await this.#seal({ file: this.#plan.files.length, row: 0 })
  }

  #counter(file: number): { rows: number; isWhole: boolean } {
    const last = this.#rows.at(-1)
    if (last?.file === file) return last
    const count = { file, rows: 0, isWhole: false }
    this.#rows.push(count)
    return count
  }

  /** Keys where the collection makes them, and what functions compute. */
  async #complete(batch: RowBatch): Promise<RowBatch> {
    const { schema } = this.#plan.collection
    const field = primaryField(schema)
    if (batch.columns.has(field.id)) return withFunctionOutputs(schema, batch, this.#pause)
    const first = await this.#world.allocateIds(batch.length)
    const fresh = Array.from({ length: batch.length }, (_, row) => first + BigInt(row))
    const keys = primaryKeyColumn(field.type, field.type === DataType.Int64 ? fresh : fresh.map(String))
    return withFunctionOutputs(schema, { length: batch.length, columns: new Map<number, Column>([...batch.columns, [field.id, keys]]) }, this.#pause)
  }

  async #seal(next: { file: number; row: number }): Promise<void> {
    if (!this.#buffers.isEmpty) {
      // One is stored while the next is encoded.
      let storing = Promise.resolve()
      for await (const segment of this.#buffers.seal((count) => this.#world.allocateIds(count), this.#pause)) {
        await storing
        storing = this.#world.store(segment)
        storing.catch(() => undefined)
      }
      await storing
    }
    const rows = this.#rows
    this.#rows = []
    await this.#world.checkpoint({ next, rows })
  }
}
