/** Which calls have a part in their client's order, where the collection is one that others may have made. */
import { expect, it } from 'vitest'
import { orderClassOf } from '../../src/clients/order-class.ts'
import type { RuleReader } from '../../src/clients/rules.ts'

const meta = { databases: () => [], collections: () => [], findCollection: () => undefined } as unknown as RuleReader['meta']
const call = { dbName: 'default', visibility: undefined }

it.each([
  ['Insert', { collectionName: 'new' }, 'stage'],
  ['Flush', { collection_names: ['new'] }, 'commit'],
  ['Query', { collection_name: 'new' }, 'read'],
] as const)('%s on a collection that is not known here', (rpc, request, kind) => {
  const reader = { meta, serverDefault: 'milvus' } as const
  expect(orderClassOf(reader, rpc, request, call, () => false)).toBeUndefined()
  expect(orderClassOf(reader, rpc, request, call, () => true)).toBe(kind)
  expect(orderClassOf({ ...reader, mayLag: true }, rpc, request, call, () => false)).toBe(kind)
})
