import type { FileSystem, OpenFile } from '../../src/storage/storage.ts'
import { nodeFileSystem } from '../../src/storage/edge.ts'

/** The real file system, but call number `failAt` (from 1) fails with `code`; short writes when asked for. Counts and names calls. */
export function faultyFileSystem(
  options: { failAt?: number; code?: string; shortWrites?: boolean } = {},
): FileSystem & { readonly calls: string[] } {
  const calls: string[] = []
  const call = async <T>(name: string, run: () => Promise<T>): Promise<T> => {
    calls.push(name)
    if (calls.length === options.failAt)
      throw Object.assign(new Error(`${options.code ?? 'EIO'}: injected`), { code: options.code ?? 'EIO' })
    return run()
  }
  const base = nodeFileSystem
  return {
    ...base,
    calls,
    open: (path, mode) =>
      call(`open ${mode}`, async (): Promise<OpenFile> => {
        const file = await base.open(path, mode)
        return {
          write: (bytes, position) =>
            call('write', () =>
              file.write(options.shortWrites === true ? bytes.subarray(0, Math.ceil(bytes.length / 2)) : bytes, position),
            ),
          read: (target, position) =>
            call('read', () =>
              file.read(options.shortWrites === true ? target.subarray(0, Math.ceil(target.length / 2)) : target, position),
            ),
          datasync: () => call('datasync', () => file.datasync()),
          close: () => file.close(),
        }
      }),
    rename: (from, to) => call('rename', () => base.rename(from, to)),
    mkdir: (path) => call('mkdir', () => base.mkdir(path)),
    syncDirectory: (path) => call(`sync ${path}`, () => base.syncDirectory(path)),
  }
}
