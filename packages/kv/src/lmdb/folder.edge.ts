/**
 * The folder of a store and its one writer. The lock is a listening socket in the folder: the kernel frees it with the
 * process, so a connection proves a live holder and a refusal a dead one. A lock file alone would be wrong both ways.
 */
import { createHash, randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, readFile, realpath, stat, unlink, writeFile } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { endianness, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { KVError } from '../errors.ts'
import { corrupt } from './format.ts'

const SOCKET = 'writer.sock'
const PID = 'writer.pid'
/** What fits into the address of a Unix socket everywhere. */
const MAX_ADDRESS = 100

export interface FolderLock {
  /** New for each holder; goes into the store, so that a writer who lost a race to a stale socket is found out. */
  readonly token: string
  release(): Promise<void>
}

/** Creates the folder and gives its real path. */
export async function prepareFolder(path: string): Promise<string> {
  const created = await mkdir(path, { recursive: true })
  const folder = await realpath(path)
  if (created !== undefined) await syncFolder(dirname(folder))
  return folder
}

/** The real path of a folder that a writer has made. */
export async function findFolder(path: string): Promise<string> {
  const folder = await realpath(path).catch(() => undefined)
  const size = folder === undefined ? 0 : await stat(join(folder, 'data.mdb')).then((info) => info.size, () => 0)
  if (folder === undefined || size < 2 * 4096) throw noStoreYet(path)
  const head = await readHead(join(folder, 'data.mdb'), 4096)
  if (hasMagic(head)) return folder
  if (head.every((byte) => byte === 0)) throw noStoreYet(path)
  throw corrupt(`${folder} holds no LMDB data file`)
}

export function noStoreYet(path: string): KVError {
  return new KVError('KV_UNAVAILABLE', `there is no store in ${path} yet: the process that writes it makes it`, { details: { path } })
}

/** A name is durable only after its folder is. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Where LMDB keeps its magic number in the first page, in the machine's byte order. */
const MAGIC_AT = 24
const MAGIC = 0xbeefc0de

/**
 * Looks at the data file before the driver does, whose library ends the process on one that is not its own. A file cut off
 * or still zeros from an interrupted creation never held an acknowledged write: it is removed.
 */
export async function checkDataFile(folder: string): Promise<void> {
  const path = join(folder, 'data.mdb')
  const size = await stat(path).then((info) => info.size, () => 0)
  if (size === 0) return
  const small = size <= 2 * 65_536
  const head = await readHead(path, small ? size : 4096)
  const isOurs = hasMagic(head)
  if (isOurs && size >= 2 * 4096) return
  const isUnfinished = small && (isOurs || head.every((byte) => byte === 0))
  if (!isUnfinished) throw corrupt(`${path} is not an LMDB data file`)
  await unlink(path)
}

function hasMagic(head: Buffer): boolean {
  return head.length >= MAGIC_AT + 4 && new DataView(head.buffer, head.byteOffset).getUint32(MAGIC_AT, endianness() === 'LE') === MAGIC
}

async function readHead(path: string, length: number): Promise<Buffer> {
  const handle = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await handle.close()
  }
}

export async function lockFolder(folder: string): Promise<FolderLock> {
  const handle = process.platform === 'linux' ? await open(folder, 'r') : undefined
  try {
    const address = socketAddress(folder, handle)
    const server = await listenAlone(folder, address)
    await writeFile(join(folder, PID), `${process.pid}\n`)
    return { token: randomUUID(), release: () => release(server, handle) }
  } catch (error) {
    await handle?.close()
    throw error
  }
}

async function release(server: Server, handle: FileHandle | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
  await handle?.close()
}

function socketAddress(folder: string, handle: FileHandle | undefined): string {
  const name = createHash('sha256').update(folder).digest('hex').slice(0, 32)
  if (process.platform === 'win32') return `\\\\.\\pipe\\timetick-kv-${name}`
  const address = join(folder, SOCKET)
  if (Buffer.byteLength(address) <= MAX_ADDRESS) return address
  return handle === undefined ? join(tmpdir(), `timetick-kv-${name}.sock`) : `/proc/self/fd/${handle.fd}/${SOCKET}`
}

async function listenAlone(folder: string, address: string): Promise<Server> {
  for (let attempt = 0; attempt < 10; attempt++) {
    const holder = await probe(address)
    if (holder === 'live') throw await lockedError(folder, address)
    if (holder === 'stale') await unlink(address).catch(() => undefined)
    const server = await listen(address)
    if (server !== undefined) return server
  }
  throw new KVError('KV_LOCKED', `could not lock ${folder}: others keep trying at the same time`, { details: { path: folder } })
}

function probe(address: string): Promise<'live' | 'stale' | 'none'> {
  return new Promise((resolve, reject) => {
    const socket = connect(address)
    socket.once('connect', () => {
      socket.destroy()
      resolve('live')
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') resolve('stale')
      else if (error.code === 'ENOENT') resolve('none')
      // Somebody listened: too busy to accept, or just ending. Who asks again finds out.
      else if (error.code === 'EAGAIN' || error.code === 'ECONNRESET' || error.code === 'EPIPE') resolve('live')
      else reject(error)
    })
  })
}

/** `undefined` when somebody else was quicker. */
function listen(address: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.end()
    })
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined)
      else reject(error)
    })
    server.listen(address, () => {
      server.unref()
      server.on('error', () => undefined)
      resolve(server)
    })
  })
}

async function lockedError(folder: string, address: string): Promise<KVError> {
  const pid = Number.parseInt(await readFile(join(folder, PID), 'utf8').catch(() => ''), 10)
  const who = pid === process.pid ? `this process (pid ${pid})` : Number.isNaN(pid) ? 'another process' : `process ${pid}`
  const details = { path: folder, socket: address, pid: Number.isNaN(pid) ? undefined : pid }
  return new KVError('KV_LOCKED', `${folder} is open for writing in ${who}`, { details })
}
