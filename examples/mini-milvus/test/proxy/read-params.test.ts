import { describe, expect, it } from 'vitest'
import { queryParams, searchParams } from '../../src/proxy/read-params.ts'

const pairs = (record: Record<string, string>): { key: string; value: string }[] => Object.entries(record).map(([key, value]) => ({ key, value }))

describe('search parameters', () => {
  it('read what both SDKs send: flat, and nested under params', () => {
    const params = searchParams(pairs({ anns_field: 'v', topk: '5', offset: '2', metric_type: 'l2', params: '{"ef":64,"radius":1.5,"range_filter":0.5}', unknown: 'x' }))
    expect(params).toEqual({ annsField: 'v', metric: 'L2', limit: 5, offset: 2, ef: 64, radius: 1.5, rangeFilter: 0.5, ignoreGrowing: false, roundDecimal: -1, groupBy: undefined, orderBy: undefined, iterator: undefined })
  })

  it.each([
    [{ topk: '0' }, /topk \[0\] is invalid/],
    [{ topk: 'ten' }, /topk \[ten\] is invalid/],
    [{}, /topk \[\] is invalid/],
    [{ topk: '16385' }, /topk \[16385\] is invalid/],
    [{ topk: '16000', offset: '1000' }, /query result window/],
    [{ topk: '1', offset: '-1' }, /offset \[-1\] is invalid/],
    [{ topk: '1', params: 'not json' }, /expected a JSON object/],
    [{ topk: '1', params: '[1]' }, /expected a JSON object/],
    [{ topk: '1', range_filter: '1' }, /radius not found/],
    [{ topk: '1', radius: 'wide' }, /radius \[wide\] is invalid/],
    [{ topk: '1', ignore_growing: 'maybe' }, /ignore_growing \[maybe\] is invalid/],
    [{ topk: '1', group_by_field: 'color', group_size: '0' }, /group_size \[0\] is invalid/],
    [{ topk: '1', group_by_field: 'color', radius: '1' }, /not support doing range search/],
    [{ topk: '1', search_iter_v2: 'true' }, /search_iter_batch_size \[\] is invalid/],
    [{ topk: '1', search_iter_v2: 'true', search_iter_batch_size: '5', offset: '1' }, /a search iterator takes no/],
    [{ topk: '1', search_iter_v2: 'true', search_iter_batch_size: '5', search_iter_id: 'iterator--1' }, /search_iter_id \[iterator--1\] is invalid/],
    [{ topk: '1', search_iter_v2: 'true', search_iter_batch_size: '5', search_iter_id: 'iterator-99999999999999999999' }, /search_iter_id .* is invalid/],
  ])('refuse %j', (record, message) => {
    expect(() => searchParams(pairs(record as Record<string, string>))).toThrow(message)
  })
})

describe('query parameters', () => {
  it('may have no limit', () => {
    expect(queryParams(undefined)).toEqual({ limit: undefined, offset: 0, ignoreGrowing: false, orderBy: undefined, isIterator: false })
    expect(queryParams(pairs({ iterator: 'True' }))).toMatchObject({ isIterator: true })
    expect(queryParams(pairs({ limit: '7', offset: '3' }))).toMatchObject({ limit: 7, offset: 3 })
  })

  it('refuse a window beyond the bound', () => {
    expect(() => queryParams(pairs({ limit: '16384', offset: '1' }))).toThrow(/query result window/)
    expect(() => queryParams(pairs({ limit: '0' }))).toThrow(/limit \[0\] is invalid/)
  })
})
