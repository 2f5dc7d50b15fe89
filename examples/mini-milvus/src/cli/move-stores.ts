/**
 * All that a node keeps, from its stores to others of whatever kind: objects, then the log, then metadata, each read back and compared.
 * What was moved is the same, byte for byte, but for positions in the log, which every store counts in its own way: the target's readers
 * begin with the earliest message that was kept, and take what is in segments for known.
 */
import { crc32 } from 'node:zlib'
import type { KVBase } from '@timetick/kv'
import { compareMessageIds, type Mq } from '@timetick/msgstream'
import { createUnfencing } from '../channel/unfenced.ts'
import { loadFences } from '../cluster/fence-records.ts'
import { CHECKPOINTS } from '../coordinator/catalog-records.ts'
import type { NodeClock } from '../edge/system.ts'
import type { Stores } from '../node/stores.ts'
import { UNFINISHED_MOVE } from '../node/unfinished-move.ts'
import { COMMIT_FENCES, LAST_COMMITS } from '../staging/commit-keys.ts'
import type { ObjectStorage } from '../storage/index.ts'

export interface MoveReport {
  readonly objects: number
  readonly bytes: number
  readonly messages: number
  readonly keys: number
}

/** `DATA_LOCKED`: the source is running. `MOVE_NOT_EMPTY`: the target has something already. `MOVE_DIFFERS`: what was read back is not what was written. */
export class MoveError extends Error {
  override readonly name = 'MoveError'
  readonly code: 'DATA_LOCKED' | 'MOVE_NOT_EMPTY' | 'MOVE_DIFFERS'

  constructor(code: MoveError['code'], message: string) {
    super(message)
    this.code = code
  }
}

export interface MoveOptions {
  readonly from: Stores
  readonly to: Stores
  readonly clock: NodeClock
  /** How long the source must be still to count as stopped: longer than its time ticks are apart. */
  readonly stillMs: number
  readonly onProgress: (done: number, all: number) => void
}

const SESSION_IDS = 'sessions/id'
/** Positions in the source's log, and who did what among its processes. */
const STAYING = [CHECKPOINTS, 'sessions/', 'channels/', 'releases/', 'fences/', 'coordinator/', 'query-replicas/', 'targets/', COMMIT_FENCES, LAST_COMMITS]
const PAGE = 1000
/** Below what one transaction may have on any store. */
const BATCH = 100
const WORKERS = 3

/** May be called again after a failure or a crash: goes on with what is missing. The source is only read. */
export async function moveStores(options: MoveOptions): Promise<MoveReport> {
  const { from, to, onProgress } = options
  await refuseRunning(options)
  if ((await to.kv.load(UNFINISHED_MOVE)) === undefined) {
    await refuseFilled(to)
    await to.kv.save(UNFINISHED_MOVE, 'a move into these stores was begun')
  }
  const { objects, bytes } = await moveObjects(from.storage, to.storage, onProgress)
  let messages = 0
  for (const channel of await from.mq.listChannels()) messages += await moveChannel(from, to.mq, channel)
  const keys = await moveMetadata(from.kv, to.kv)
  await to.kv.remove(UNFINISHED_MOVE)
  return { objects, bytes, messages, keys }
}

/** A folder is locked by whoever uses it. A node on servers writes time ticks as long as it runs. */
async function refuseRunning({ from, clock, stillMs }: MoveOptions): Promise<void> {
  const { keys } = await from.kv.loadWithPrefix('sessions/', { limit: 2 })
  if (keys.some((key) => key !== SESSION_IDS)) throw new MoveError('DATA_LOCKED', 'the source is running: processes of it are registered; stop them all')
  if (from.mq.features.sharing !== 'writers') return
  const ends = async (): Promise<string> => {
    const bounds = await Promise.all((await from.mq.listChannels()).map((channel) => from.mq.bounds(channel)))
    return bounds.map(({ last }) => (last === undefined ? '' : Buffer.from(last.bytes).toString('hex'))).join()
  }
  const before = await ends()
  await new Promise<void>((done) => clock.setTimer(done, stillMs))
  if ((await ends()) !== before) throw new MoveError('DATA_LOCKED', 'the source is running: its log grows; stop it')
}

async function refuseFilled({ kv, mq, storage }: Stores): Promise<void> {
  const { keys } = await kv.loadWithPrefix('', { limit: 1 })
  const channels = await mq.listChannels()
  const objects = await storage.list('')
  const found = [keys[0], channels[0], objects[0]?.key].filter((name) => name !== undefined)
  if (found.length > 0) throw new MoveError('MOVE_NOT_EMPTY', `the target is not empty: it has ${found.join(', ')}`)
}

async function moveObjects(from: ObjectStorage, to: ObjectStorage, onProgress: MoveOptions['onProgress']): Promise<{ objects: number; bytes: number }> {
  const all = await from.list('')
  const there = new Map((await to.list('')).map(({ key, bytes }) => [key, bytes]))
  const left = [...all]
  let done = 0
  const worker = async (): Promise<void> => {
    for (let object = left.pop(); object !== undefined; object = left.pop()) {
      const content = await from.get(object.key)
      const isThere = there.get(object.key) === object.bytes && same(await to.get(object.key), content)
      if (!isThere) {
        await to.put(object.key, content)
        if (!same(await to.get(object.key), content)) throw new MoveError('MOVE_DIFFERS', `${object.key} was written, but other bytes were read back`)
      }
      onProgress(++done, all.length)
    }
  }
  await Promise.all(Array.from({ length: WORKERS }, worker))
  const count = (await to.list('')).length
  if (count !== all.length) throw new MoveError('MOVE_DIFFERS', `the target has ${count} objects, the source ${all.length}`)
  return { objects: all.length, bytes: all.reduce((sum, { bytes }) => sum + bytes, 0) }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && crc32(a) === crc32(b)
}

/** A channel is short, since a log is cut behind what is in segments: one that was begun is made anew. */
async function moveChannel({ mq: from, kv }: Pick<Stores, 'mq' | 'kv'>, to: Mq, channel: string): Promise<number> {
  const unfenced = createUnfencing(await loadFences(kv, channel), (await from.bounds(channel)).first)
  await to.deleteChannel(channel)
  await to.createChannel(channel)
  const producer = await to.openProducer(channel)
  const written = { frames: 0, sum: 0 }
  try {
    for await (const batch of framesOf(from, channel)) {
      const frames = unfenced(batch)
      if (frames.length === 0) continue
      await producer.send(frames)
      add(written, frames)
    }
  } finally {
    await producer.close()
  }
  const read = { frames: 0, sum: 0 }
  for await (const frames of framesOf(to, channel)) add(read, frames)
  if (read.frames !== written.frames || read.sum !== written.sum) throw new MoveError('MOVE_DIFFERS', `channel ${channel}: ${written.frames} messages were written, ${read.frames} read back, checksums ${written.sum} and ${read.sum}`)
  return written.frames
}

function add(total: { frames: number; sum: number }, frames: readonly Uint8Array[]): void {
  total.frames += frames.length
  for (const frame of frames) total.sum = crc32(frame, total.sum)
}

async function* framesOf(mq: Mq, channel: string): AsyncGenerator<readonly Uint8Array[]> {
  const { last } = await mq.bounds(channel)
  if (last === undefined) return
  const reader = await mq.openReader(channel, { at: 'earliest' })
  try {
    for (;;) {
      const batch = await reader.read({ maxMessages: 500, maxBytes: 4 * 1024 * 1024, until: last })
      const end = batch?.ids.at(-1)
      if (batch === undefined || end === undefined) return
      yield batch.frames
      if (compareMessageIds(end, last) >= 0) return
    }
  } finally {
    await reader.close()
  }
}

async function moveMetadata(from: KVBase, to: KVBase): Promise<number> {
  const entries = [...(await allEntries(from))].filter(([key]) => !STAYING.some((prefix) => key.startsWith(prefix)) && key !== UNFINISHED_MOVE)
  for (let begin = 0; begin < entries.length; begin += BATCH) await to.bytes.multiSave(new Map(entries.slice(begin, begin + BATCH)))
  const there = await allEntries(to)
  for (const [key, value] of entries) {
    const copy = there.get(key)
    if (copy === undefined || Buffer.compare(copy, value) !== 0) throw new MoveError('MOVE_DIFFERS', `the metadata ${key} was written, but something else was read back`)
  }
  if (there.size !== entries.length + 1) throw new MoveError('MOVE_DIFFERS', `the target has ${there.size - 1} keys of metadata, the source ${entries.length}`)
  return entries.length
}

async function allEntries(kv: KVBase): Promise<Map<string, Uint8Array>> {
  const entries = new Map<string, Uint8Array>()
  for (let startAfter: string | undefined, more = true; more; ) {
    const page = await kv.bytes.loadWithPrefix('', { limit: PAGE, startAfter })
    page.keys.forEach((key, index) => entries.set(key, page.values[index] as Uint8Array))
    startAfter = page.keys.at(-1)
    more = page.more
  }
  return entries
}
