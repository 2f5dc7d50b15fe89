import { expect, test } from 'vitest'
import { startMiniMilvus } from '../../src/index.ts'

test('C3 several query nodes: each has a row with what it serves, and it is told how many are wanted', async () => {
  const node = await startMiniMilvus({ inMemory: true, port: 0, metricsPort: 0, parameters: { 'queryNode.count': 2 } })
  try {
    const list = async (path: string) => ((await (await fetch(`http://${node.metricsAddress}/insight/v1/clusters/local/${path}`)).json()) as { rows: Record<string, unknown>[] }).rows
    await expect.poll(async () => (await list('nodes')).filter(({ key }) => String(key).startsWith('querynode-'))).toMatchObject([{ role: 'querynode', state: 'healthy', replicas: 0 }, { role: 'querynode', state: 'healthy' }])
    await expect.poll(() => list('nodes')).toContainEqual(expect.objectContaining({ key: 'querynode', expected: 2, living: 2 }))
    await expect.poll(() => list('tso')).toMatchObject([{ name: 'tso' }])
  } finally {
    await node.close()
  }
}, 60_000)
