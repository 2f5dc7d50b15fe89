// @ts-check
/** One flag, five queues: nothing else of the program knows which one it is. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** @typedef {import('@timetick/msgstream').Mq} Mq */

export const names = ['memory', 'file', 'redis', 'kafka', 'pulsar']

/**
 * @param {string} name of {@link names}
 * @param {string | undefined} url where a server is: `redis://…`, `host:port`, `http://…`
 * @param {string} prefix keeps one run apart from the others on a server
 * @returns {Promise<{ mq: Mq, end(): Promise<void> }>}
 */
export async function openBackend(name, url, prefix) {
  const mq = await openMq(name, url, prefix)
  if (typeof mq === 'object' && 'mq' in mq) return mq
  return { mq, end: () => mq.close() }
}

/**
 * @param {string} name
 * @param {string | undefined} url
 * @param {string} prefix
 */
async function openMq(name, url, prefix) {
  switch (name) {
    case 'memory':
      return (await import('@timetick/msgstream/memory')).createMemoryMq()
    case 'file': {
      const path = await mkdtemp(join(tmpdir(), 'partitions-'))
      const mq = await (await import('@timetick/msgstream/file')).openFileMq({ path })
      return { mq, end: async () => (await mq.close(), await rm(path, { recursive: true, force: true })) }
    }
    case 'redis':
      return (await import('@timetick/msgstream/redis')).openRedisMq({ url: url ?? 'redis://127.0.0.1:6379', prefix })
    case 'kafka':
      return (await import('@timetick/msgstream/kafka')).openKafkaMq({ brokers: [url ?? '127.0.0.1:9092'], prefix })
    case 'pulsar':
      return (await import('@timetick/msgstream/pulsar')).openPulsarMq({ url: url ?? 'http://127.0.0.1:8080', prefix })
    default:
      throw new RangeError(`expected --backend=${names.join(', ')}, got ${name}`)
  }
}
