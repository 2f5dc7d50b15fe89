import { createMemoryKV } from '@timetick/kv/memory'
import { afterEach, expect, test, vi } from 'vitest'
import { openTimestampOracle } from '../src/index.ts'

afterEach(() => {
  vi.doUnmock('@grpc/grpc-js')
  vi.resetModules()
})

test('without the gRPC driver every entry says how to get it, and the oracle goes on', async () => {
  vi.doMock('@grpc/grpc-js', () => {
    throw new Error('Cannot find package')
  })
  const { checkTimestampHealth, connectTimestampSource, serveTimestampOracle } = await import('../src/grpc.ts')
  const oracle = await openTimestampOracle({ kv: createMemoryKV() })
  const missing = expect.objectContaining({ code: 'TSO_DRIVER_MISSING', retryable: false, message: expect.stringContaining('npm install @grpc/grpc-js') as string }) as unknown
  await expect(serveTimestampOracle({ oracle })).rejects.toEqual(missing)
  await expect(checkTimestampHealth({ address: '127.0.0.1:1' })).rejects.toEqual(missing)
  const source = connectTimestampSource({ addresses: ['127.0.0.1:1'] })
  await expect(source.allocOne()).rejects.toEqual(missing)
  await expect(source.getTimestamp(5)).rejects.toEqual(missing)
  expect(source.states).toMatchObject({ waiting: 0, inFlight: 0, lastError: missing })
  await source.close()
  expect((await oracle.getTimestamp(2)).count).toBe(2)
  await oracle.close()
})
