/** The pairs of a page, column by column: what the contract hands out, so nothing is copied on the way. */
import type { Stored } from './engine.ts'
import type { Revision } from './kv.ts'

export class Columns {
  readonly keys: string[] = []
  readonly values: Stored[] = []
  readonly revisions: Revision[] = []

  add(key: string, value: Stored, revision: Revision): void {
    this.keys.push(key)
    this.values.push(value)
    this.revisions.push(revision)
  }

  get size(): number {
    return this.keys.length
  }
}
