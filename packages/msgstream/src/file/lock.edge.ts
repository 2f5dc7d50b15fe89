/**
 * One writer per folder, by Unix sockets: the kernel frees them with the process, so a lock never outlives its holder.
 *
 * `lock.sock` in the folder: a connect that works means a live holder, ECONNREFUSED one that was killed. It is seen from
 * other network namespaces too (containers that share the folder). Where two processes find the same dead lock at once,
 * an abstract socket (Linux) named after the folder's device and inode lets only one of them clear it.
 *
 * A socket's path may have about 100 bytes. A longer one is reached through `/proc/self/fd/<folder>`; where that does not
 * exist (macOS), by a hashed name in the temporary folder, which then all users of the folder must share.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { open, stat, unlink } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MsgStreamError } from '../errors.ts'
import type { FolderLock } from './file-system.ts'

const maxPathBytes = 100
const answerMs = 1000

type Probe = { readonly state: 'free' | 'dead' } | { readonly state: 'held'; readonly pid: number | undefined }

function probe(path: string): Promise<Probe> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    let text = ''
    const held = (): void => {
      socket.destroy()
      resolve({ state: 'held', pid: /^\d+$/.test(text.trim()) ? Number(text) : undefined })
    }
    // A stopped holder takes the connection and says nothing.
    socket.setTimeout(answerMs, held)
    socket.on('data', (data) => (text += data.toString('latin1')))
    socket.on('close', (hadError) => (hadError ? undefined : held()))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') resolve({ state: 'free' })
      else if (error.code === 'ECONNREFUSED') resolve({ state: 'dead' })
      else if (error.code === 'ECONNRESET' || error.code === 'EPIPE') held()
      else reject(error)
    })
  })
}

/** A server that tells its pid to whoever asks; `undefined` when the address is taken. */
function listen(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy())
      socket.end(`${process.pid}\n`)
    })
    server.on('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error)))
    server.listen({ path, exclusive: true }, () => {
      server.unref()
      resolve(server)
    })
  })
}

const closeServer = (server: Server | undefined): Promise<void> =>
  new Promise((resolve) => (server === undefined ? resolve() : server.close(() => resolve())))

function locked(folder: string, pid: number | undefined): MsgStreamError {
  const holder = pid === process.pid ? `this process (pid ${pid})` : pid === undefined ? 'another process' : `the process with pid ${pid}`
  return new MsgStreamError('MSG_LOCKED', `${folder} is open in ${holder}`, { details: { path: folder, pid } })
}

async function socketPath(folder: string): Promise<{ readonly path: string; close(): Promise<void> }> {
  const path = join(folder, 'lock.sock')
  if (Buffer.byteLength(path) <= maxPathBytes) return { path, close: async () => {} }
  if (existsSync('/proc/self/fd')) {
    const handle = await open(folder, 'r')
    return { path: `/proc/self/fd/${handle.fd}/lock.sock`, close: () => handle.close() }
  }
  const { dev, ino } = await stat(folder)
  return { path: join(tmpdir(), `timetick-${createHash('sha256').update(`${dev}:${ino}`).digest('hex').slice(0, 16)}.sock`), close: async () => {} }
}

async function lockGuard(folder: string): Promise<Server | undefined> {
  if (process.platform !== 'linux') return undefined
  const { dev, ino } = await stat(folder)
  const name = `\0timetick-msgstream-${dev}-${ino}`
  const guard = await listen(name)
  if (guard !== undefined) return guard
  const answer = await probe(name).catch((): Probe => ({ state: 'held', pid: undefined }))
  throw locked(folder, answer.state === 'held' ? answer.pid : undefined)
}

export async function lockFolder(folder: string): Promise<FolderLock> {
  const guard = await lockGuard(folder)
  const place = await socketPath(folder).catch(async (error: unknown) => {
    await closeServer(guard)
    throw error
  })
  try {
    const answer = await probe(place.path)
    if (answer.state === 'held') throw locked(folder, answer.pid)
    if (answer.state === 'dead') await unlink(place.path)
    const server = await listen(place.path)
    if (server === undefined) throw locked(folder, undefined)
    return {
      release: async () => {
        await closeServer(server)
        await closeServer(guard)
        await place.close()
      },
    }
  } catch (error) {
    await closeServer(guard)
    await place.close()
    throw error
  }
}

/** Does a living process hold the folder for writing? */
export async function hasWriter(folder: string): Promise<boolean> {
  const place = await socketPath(folder)
  try {
    return (await probe(place.path)).state === 'held'
  } finally {
    await place.close()
  }
}
