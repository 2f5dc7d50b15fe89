/** Where imports find their files: a folder, or a prefix of the node's object storage; never anything outside. */
import { open, realpath, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { checkKey } from '../storage/keys.ts'
import type { ObjectStorage } from '../storage/index.ts'
import { ImportError } from './errors.ts'

export interface FoundFile {
  readonly bytes: number
  /** Another one once the file was replaced. */
  readonly version: string
}

export interface OpenedFile extends FoundFile {
  read(offset: number, length: number): Promise<Uint8Array>
  close(): Promise<void>
}

export interface ImportSource {
  /** Rejects with {@link ImportError} for names that lead elsewhere, and for what is no file. */
  open(path: string): Promise<OpenedFile>
}

/** Names are relative paths of plain names: no `..`, no backslash, nothing absolute. */
export function checkImportPath(path: string): void {
  try {
    checkKey(path)
  } catch {
    throw new ImportError(`${JSON.stringify(path.slice(0, 200))}: expected a relative path of plain names below the import folder`)
  }
}

/** Links are followed only to what lies in the folder, too: the file that was opened is the one that was looked at. */
export function createFolderSource(root: string): ImportSource {
  return {
    async open(path) {
      checkImportPath(path)
      const base = await realpath(root).catch(() => undefined)
      const real = base === undefined ? undefined : await realpath(join(base, ...path.split('/'))).catch(() => undefined)
      if (base === undefined || real === undefined) throw notFound(path)
      if (!real.startsWith(base.endsWith(sep) ? base : base + sep)) throw new ImportError(`${path}: leads out of the import folder`)
      const file = await open(real, 'r')
      try {
        const info = await file.stat()
        const seen = await stat(real)
        if (!info.isFile() || info.ino !== seen.ino || info.dev !== seen.dev) throw new ImportError(`${path}: is no file`)
        return {
          bytes: info.size,
          version: `${info.size}-${info.mtimeMs}-${info.ino}`,
          read: (offset, length) => readFully(path, (target, at, position) => file.read(target, at, target.length - at, position), offset, length),
          close: () => file.close(),
        }
      } catch (error) {
        await file.close()
        throw error
      }
    },
  }
}

type ReadSome = (target: Uint8Array, at: number, position: number) => Promise<{ readonly bytesRead: number }>

async function readFully(path: string, read: ReadSome, offset: number, length: number): Promise<Uint8Array> {
  const target = new Uint8Array(length)
  for (let done = 0; done < length; ) {
    const { bytesRead } = await read(target, done, offset + done)
    if (bytesRead === 0) throw new ImportError(`${path}: ended at byte ${offset + done} while it was read`)
    done += bytesRead
  }
  return target
}

export function createStorageSource(storage: ObjectStorage, prefix: string): ImportSource {
  return {
    async open(path) {
      checkImportPath(path)
      const key = prefix + path
      // Objects that are files are opened as such, where links are seen.
      const local = storage.localPath(key)
      if (local?.endsWith(key.split('/').join(sep)) === true) return createFolderSource(local.slice(0, local.length - path.length)).open(path)
      if (!(await storage.exists(key))) throw notFound(path)
      const bytes = await storage.size(key)
      return { bytes, version: String(bytes), read: async (offset, length) => (await storage.get(key, { offset, length })).slice(), close: async () => undefined }
    },
  }
}

function notFound(path: string): ImportError {
  return new ImportError(`${path}: there is no such file below the import folder`)
}
