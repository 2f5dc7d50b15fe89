/** The page of curl examples, run as it stands against a whole node. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { startMiniMilvus } from '../../src/index.ts'

const page = readFileSync(new URL('../../../../docs/rest.md', import.meta.url), 'utf8')
const blocks = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block = '']) => block)

/** Commands, which may go over several lines, each ended by what its answer holds. */
const examples = blocks.flatMap((block) =>
  [...block.matchAll(/([\s\S]*?)\n# => (.*)\n/g)].map(([, command = '', expected = '']) => ({ command: command.trim(), expected: JSON.parse(expected) as object })),
)

describe('docs/rest.md', () => {
  it('has an expectation for every command', () => {
    expect(examples).toHaveLength(page.match(/^curl /gm)?.length ?? 0)
    expect(examples.length).toBeGreaterThan(25)
  })

  it('says what the node does', { timeout: 120_000 }, async () => {
    const node = await startMiniMilvus({ inMemory: true, port: 0 })
    try {
      for (const { command, expected } of examples) {
        const { stdout } = await promisify(execFile)('sh', ['-c', command], { env: { ...process.env, MILVUS: `http://${node.address}` } })
        expect([command, JSON.parse(stdout)]).toMatchObject([command, expected])
      }
    } finally {
      await node.close()
    }
  })
})
