import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, it } from 'vitest'
import type { Mq } from '../src/index.ts'
import { openFileMq } from '../src/file.ts'
import { createMemoryMq } from '../src/memory.ts'
import { testMq, testMsgStream } from '../src/testing.ts'

const runner = { describe, it }
const root = mkdtempSync(join(tmpdir(), 'timetick-mq-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const folders = new WeakMap<Mq, () => Promise<Mq>>()
let count = 0

function fileMq(options: Omit<Parameters<typeof openFileMq>[0], 'path'>): () => Promise<Mq> {
  return async () => {
    const path = join(root, String(++count))
    const open = async (): Promise<Mq> => {
      const mq = await openFileMq({ path, ...options })
      folders.set(mq, open)
      return mq
    }
    return open()
  }
}

async function reopen(mq: Mq): Promise<Mq> {
  await mq.close()
  return (folders.get(mq) as () => Promise<Mq>)()
}

testMq('memory', { runner, create: () => createMemoryMq() })
testMq('file', { runner, create: fileMq({}), reopen })
testMq('file, small segments, no cache', { runner, create: fileMq({ segmentBytes: 4096, tailCacheBytes: 0 }), reopen })
testMq('file, sync by interval', { runner, create: fileMq({ sync: 'interval', segmentBytes: 65_536 }), reopen })

testMsgStream('memory', { runner, create: () => createMemoryMq() })
testMsgStream('file', { runner, create: fileMq({ segmentBytes: 4096, tailCacheBytes: 2048 }), reopen })
