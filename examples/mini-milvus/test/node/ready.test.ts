import { expect, test } from 'vitest'
import { readyText } from '../../src/cli/ready.ts'

test('U5 what is said when the node serves: eight lines at most, the data with its collections and size', () => {
  const facts = { version: '1.2.3', elapsedMs: 200, address: '127.0.0.1:19530', metricsAddress: '127.0.0.1:9091', page: 'http://127.0.0.1:9091/webui/', dataDir: './mini-milvus-data', stores: undefined, collections: 1, bytes: 12_345_678, settings: [{ key: 'proxy.port', value: '1', source: 'flags' }] }
  const lines = readyText(facts, false).split('\n')
  expect(lines.length).toBeLessThanOrEqual(8)
  expect(lines[0]).toBe('mini-milvus 1.2.3 ready in 200 ms')
  expect(lines).toContain('  data        ./mini-milvus-data (1 collection, 12.3 MB)')
  expect(lines).toContain('  settings    proxy.port=1 (flags)')
  expect(lines.at(-1)).toBe('  stop        Ctrl-C')
})
