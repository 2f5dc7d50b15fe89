import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openFileMq } from '../src/file.ts'
import type { Mq, MqFeatures } from '../src/index.ts'
import { openKafkaMq } from '../src/kafka.ts'
import { createMemoryMq } from '../src/memory.ts'
import { openPulsarMq } from '../src/pulsar.ts'
import { openRedisMq } from '../src/redis.ts'
import { serviceUrl } from './services.edge.ts'

const redis = serviceUrl('redis')
const kafka = serviceUrl('kafka')
const pulsar = serviceUrl('pulsar_web')
const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const table = /<!-- features: [^\n]*\n([\s\S]*?)<!-- end -->/.exec(readme)?.[1] ?? ''
const rows = table.trim().split('\n').map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()))

/** What the table says of one backend. */
function column(backend: string): Record<string, string> {
  const at = rows[0]?.indexOf(`\`/${backend}\``) ?? -1
  return Object.fromEntries(rows.slice(2).map((cells) => [cells[0] ?? '', cells[at] ?? '']))
}

const yes = (value: boolean): string => (value ? 'yes' : 'no')
const size = (bytes: number): string => (bytes >= 1 << 20 ? `${bytes >> 20} MiB` : `${Math.round(bytes / 1024)} KiB`)

async function check(mq: Mq): Promise<void> {
  const { features } = mq
  await mq.close()
  const said = column(features.backend)
  const is: Record<keyof Omit<MqFeatures, 'backend' | 'durability'>, string> = {
    transient: yes(features.transient),
    truncate: yes(features.truncate),
    atomicBroadcast: yes(features.atomicBroadcast),
    sharing: features.sharing,
    maxFrameBytes: size(features.maxFrameBytes),
  }
  expect(said).toEqual({ ...is, durability: said['durability'] })
  expect(said['durability']?.split(', ')).toContain(features.durability)
}

describe('the table of backends in the README says what `features` says', () => {
  it('memory', () => check(createMemoryMq()))

  it('file', async () => {
    const path = mkdtempSync(join(tmpdir(), 'timetick-features-'))
    await check(await openFileMq({ path }))
    rmSync(path, { recursive: true, force: true })
  })

  it.skipIf(redis === undefined)('redis', async () => check(await openRedisMq({ url: redis ?? '' })))
  it.skipIf(kafka === undefined)('kafka', async () => check(await openKafkaMq({ brokers: [kafka ?? ''] })))
  it.skipIf(pulsar === undefined)('pulsar', async () => check(await openPulsarMq({ url: pulsar ?? '' })))
})
