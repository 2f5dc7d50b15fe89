/**
 * `@timetick/msgstream/file`: a durable queue in a folder. Own segment files per channel, group commit, one writing process.
 *
 *     const mq = await openFileMq({ path: './data' })
 *     const stream = await openMsgStream({ mq })
 *
 * @module
 */
import type { Clock } from './clock.ts'
import { checkObject, enumOption, intOption, show } from './check.ts'
import { systemClock } from './edge.ts'
import { nodeFileSystem } from './file/edge.ts'
import { FileMqImpl } from './file/file-mq.ts'
import type { FileSystem, LockFolder } from './file/file-system.ts'
import { hasWriter, lockFolder } from './file/lock.edge.ts'
import { SharedFileMq } from './file/shared-mq.ts'
import type { DroppedTail } from './file/recover.ts'
import type { Mq } from './mq.ts'

export type { FileSystem, FolderLock, LockFolder, OpenFile } from './file/file-system.ts'
export type { DroppedTail } from './file/recover.ts'

export interface FileMqOptions {
  /** Made if it is not there. */
  readonly path: string
  /** A segment file is left for a new one when it is this large. @default 64 MiB */
  readonly segmentBytes?: number | undefined
  /** `commit`: a resolved send survives a power cut. `interval`: it survives the process, and a power cut after `syncIntervalMs`. @default 'commit' */
  readonly sync?: 'commit' | 'interval' | undefined
  /** @default 200 */
  readonly syncIntervalMs?: number | undefined
  /** Whole segments that are older, or beyond this size per channel, are deleted when a new one begins and at opening. @default nothing is deleted */
  readonly retention?: { readonly maxBytesPerChannel?: number | undefined; readonly maxAgeMs?: number | undefined } | undefined
  /** Committed frames that each channel keeps in memory for readers at its tail. @default 4 MiB */
  readonly tailCacheBytes?: number | undefined
  /** Frames per channel that may wait for the disk; more is refused with `MSG_FULL`. @default 64 MiB */
  readonly maxPendingBytes?: number | undefined
  /** Read what another process writes: nothing is locked, changed or made. New frames are found by looking every `pollMs`. @default false */
  readonly readOnly?: boolean | undefined
  /** @default 10 */
  readonly pollMs?: number | undefined
  readonly clock?: Clock | undefined
  /** The disk. Another one is for tests. */
  readonly fs?: FileSystem | undefined
  readonly lock?: LockFolder | undefined
}

export interface FileMq extends Mq {
  /** Tails that were cut off at opening: written by a process that ended before they were acknowledged. */
  readonly droppedTails: readonly DroppedTail[]
  /** False after the first failed write or sync: from then on every write is refused (`MSG_STORAGE_FAILED`) until the queue is closed and opened. */
  readonly healthy: boolean
}

const unlimited = Number.MAX_SAFE_INTEGER

/**
 * Rejects with `MSG_LOCKED` (the holder's pid in `details.pid`), `MSG_CORRUPT`, or `MSG_VERSION` for a folder of a newer release. A full disk
 * opens for reading; writes are refused with `MSG_FULL` until there is room. A folder that cannot be made rejects with `MSG_FULL`.
 */
export async function openFileMq(options: FileMqOptions): Promise<FileMq> {
  checkObject(options, 'options')
  const { path, retention = {} } = options
  if (typeof path !== 'string' || path === '' || path.includes('\0')) throw new TypeError(`expected \`path\` to be a folder's path, got ${show(path)}`)
  checkObject(retention, 'retention')
  const { readOnly = false, fs = nodeFileSystem, clock = systemClock } = options
  if (typeof readOnly !== 'boolean') throw new TypeError(`expected \`readOnly\` to be a boolean, got ${show(readOnly)}`)
  const pollMs = intOption(options.pollMs, 'pollMs', 10, 1, 60_000)
  const folder = path.length > 1 ? path.replace(/\/+$/, '') : path
  if (readOnly) return SharedFileMq.open({ path: folder, fs, clock, pollMs, hasWriter: () => hasWriter(folder) })
  return FileMqImpl.open({
    path: folder,
    fs,
    lock: options.lock ?? lockFolder,
    clock,
    segmentBytes: intOption(options.segmentBytes, 'segmentBytes', 64 << 20, 1024, 2 ** 31),
    sync: enumOption(options.sync, 'sync', 'commit', ['commit', 'interval']),
    syncIntervalMs: intOption(options.syncIntervalMs, 'syncIntervalMs', 200, 1, 2 ** 31 - 1),
    tailCacheBytes: intOption(options.tailCacheBytes, 'tailCacheBytes', 4 << 20, 0, unlimited),
    maxPendingBytes: intOption(options.maxPendingBytes, 'maxPendingBytes', 64 << 20, 1, unlimited),
    maxBatchBytes: 4 << 20,
    retentionBytes: intOption(retention.maxBytesPerChannel, 'retention.maxBytesPerChannel', unlimited, 1, unlimited),
    retentionMs: intOption(retention.maxAgeMs, 'retention.maxAgeMs', unlimited, 1, unlimited),
  })
}
