/** The disk as the file queue sees it, so that tests can lose power and fail syncs. */
export interface OpenFile {
  /** May write less than asked; gives how much. */
  write(data: Uint8Array, position: number): Promise<number>
  /** May read less than asked; 0 at the end. */
  read(into: Uint8Array, position: number): Promise<number>
  datasync(): Promise<void>
  truncate(bytes: number): Promise<void>
  size(): Promise<number>
  close(): Promise<void>
}

export interface FileSystem {
  /** `create` makes a new file (an old one of this name is emptied), `write` and `read` need it to exist. */
  open(path: string, mode: 'read' | 'write' | 'create'): Promise<OpenFile>
  /** Names in a folder; a missing folder is `undefined`. */
  list(path: string): Promise<string[] | undefined>
  mkdir(path: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  rmdir(path: string): Promise<void>
  /** Time of last change, ms since 1970. */
  modified(path: string): Promise<number>
  /** Make names in this folder durable. */
  syncFolder(path: string): Promise<void>
}

/** Held until released, or until the process ends. */
export interface FolderLock {
  release(): Promise<void>
}

/** Locks a folder for writing; `MSG_LOCKED` with the holder's pid when it is held. */
export type LockFolder = (path: string) => Promise<FolderLock>

export async function writeFully(file: OpenFile, data: Uint8Array, position: number): Promise<void> {
  let done = 0
  while (done < data.length) {
    const written = await file.write(done === 0 ? data : data.subarray(done), position + done)
    if (written <= 0) throw new Error(`wrote ${written} of ${data.length - done} bytes`)
    done += written
  }
}

/** Read what is there, at most `into.length` bytes. */
export async function readFully(file: OpenFile, into: Uint8Array, position: number): Promise<number> {
  let done = 0
  while (done < into.length) {
    const read = await file.read(done === 0 ? into : into.subarray(done), position + done)
    if (read === 0) break
    done += read
  }
  return done
}

/** A file that is whole or not there: write, sync, rename, sync of the folder, in this order. */
export async function placeFile(fs: FileSystem, folder: string, name: string, data: Uint8Array): Promise<void> {
  const temporary = `${folder}/${name}.tmp`
  const file = await fs.open(temporary, 'create')
  try {
    await writeFully(file, data, 0)
    await file.datasync()
  } catch (error) {
    // It takes room for nothing.
    await fs.unlink(temporary).catch(() => {})
    throw error
  } finally {
    await file.close()
  }
  await fs.rename(temporary, `${folder}/${name}`)
  await fs.syncFolder(folder)
}
