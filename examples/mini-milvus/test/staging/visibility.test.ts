import { expect, it } from 'vitest'
import { visibilityOf } from '../../src/staging/visibility.ts'

const of = (rule?: string) => ({ properties: rule === undefined ? {} : { 'timetick.visibility': rule } })

it('the collection wins over its database, that over the connection, that over the server', () => {
  expect(visibilityOf(of('milvus'), of('flush'), 'flush', 'flush')).toBe('milvus')
  expect(visibilityOf(of(), of('flush'), 'milvus', 'milvus')).toBe('flush')
  expect(visibilityOf(of(), of(), 'flush', 'milvus')).toBe('flush')
  expect(visibilityOf(of(), undefined, undefined, 'flush')).toBe('flush')
  expect(visibilityOf(of('neither'), of(' FLUSH '), undefined, 'milvus')).toBe('flush')
})
