/// <reference lib="esnext.disposable" />
/**
 * Files that are followed. They are looked at now and then instead of watched: notices of file systems get lost, and miss the swap of a
 * link by which Kubernetes changes a mounted ConfigMap. A change of several files is one step: all are read, and found unchanged after the
 * last was read, before anything is applied.
 *
 * Whatever is wrong with a file (gone, unreadable, not YAML, a value that its declaration refuses), all keep their last good values.
 */
import { createHash } from 'node:crypto'
import { show } from './check.ts'
import type { Clock } from './clock.ts'
import { stampAt, systemClock } from './edge.ts'
import { ParamError } from './errors.ts'
import { checkSource, parseLayer, readSource, sourceFailed } from './file-formats.ts'
import type { FileFormat, FileSource } from './file-formats.ts'
import type { LayerInput } from './options.ts'
import type { GlobalParamsTable } from './table.ts'

export interface FileParamsOptions {
  readonly table: GlobalParamsTable
  /** In order: the later over the earlier. */
  readonly files: readonly (string | FileSource)[]
  /** Between two looks; 0 looks only when {@link FileParams.refresh} is called. @default 5_000 */
  readonly everyMs?: number | undefined
  /** A file that is not there at first is as if it were empty. @default false: that is an error */
  readonly mayBeMissing?: boolean | undefined
  /** Told of what keeps a look from being applied; the same problem once. */
  readonly onProblem?: ((error: unknown) => void) | undefined
  readonly clock?: Clock | undefined
  /** Ends the first read. */
  readonly signal?: AbortSignal | undefined
}

export interface FileParams extends AsyncDisposable {
  /**
   * Look now; true when something changed. Looks do not overlap.
   * @throws {ParamError} what keeps the files from being applied; the last good values stay
   */
  refresh(): Promise<boolean>
  /** Stops looking; the values stay. Idempotent; never rejects. */
  close(): Promise<void>
}

/** A file may be written again within the tick of its file system's clock, with the same stamp: so long it is read again. */
const SETTLED_MS = 2_000
const ATTEMPTS = 3

interface Seen {
  readonly stamp: string | undefined
  readonly digest: string
  readonly isSettled: boolean
}

/**
 * Reads the files, puts them in as one step, and follows them.
 * @throws {ParamError} `PARAM_SOURCE_FAILED`, the code of a format, or why values are refused; nothing is applied then
 */
export async function openFileParams(options: FileParamsOptions): Promise<FileParams> {
  if (typeof options !== 'object' || options === null) throw new TypeError(`expected the options to be an object, got ${show(options)}`)
  const { files, everyMs = 5_000, signal } = options
  if (!Array.isArray(files) || files.length === 0) throw new TypeError(`expected \`files\` to be an array of paths, got ${show(files)}`)
  if (typeof everyMs !== 'number' || !(everyMs === 0 || (everyMs >= 1 && everyMs < 2 ** 31))) {
    throw new RangeError(`expected \`everyMs\` to be 0 or 1..2147483647, got ${show(everyMs)}`)
  }
  const sources = (files as readonly (string | FileSource)[]).map((file) => checkSource(typeof file === 'string' ? { path: file } : file, 'files'))
  if (new Set(sources.map(({ path }) => path)).size < sources.length) throw new RangeError('expected the paths of `files` to differ')
  signal?.throwIfAborted()
  const followed = new FollowedFiles(options, sources, everyMs)
  await followed.open(signal)
  return followed
}

class FollowedFiles implements FileParams {
  readonly #options: FileParamsOptions
  readonly #sources: readonly (FileSource & { readonly format: FileFormat })[]
  readonly #everyMs: number
  readonly #clock: Clock
  #seen = new Map<string, Seen>()
  #looking: Promise<unknown> = Promise.resolve()
  #cancel: (() => void) | undefined
  #isClosed = false
  #lastProblem = ''

  constructor(options: FileParamsOptions, sources: readonly (FileSource & { readonly format: FileFormat })[], everyMs: number) {
    this.#options = options
    this.#sources = sources
    this.#everyMs = everyMs
    this.#clock = options.clock ?? systemClock
  }

  async open(signal: AbortSignal | undefined): Promise<void> {
    await this.#look(signal)
    this.#schedule()
  }

  refresh(): Promise<boolean> {
    const looked = this.#looking.then(async () => {
      if (this.#isClosed) throw new ParamError('PARAM_SOURCE_FAILED', 'the files are no longer followed')
      return this.#look(undefined)
    })
    this.#looking = looked.catch(() => undefined)
    return looked
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancel?.()
    await this.#looking
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #schedule(): void {
    if (this.#everyMs === 0 || this.#isClosed) return
    this.#cancel = this.#clock.setTimer(() => {
      void this.refresh()
        .then(() => void (this.#lastProblem = ''))
        .catch((error: unknown) => this.#report(error))
        .then(() => this.#schedule())
    }, this.#everyMs)
  }

  /** Reads until nothing changed from the first read to the last. */
  async #look(signal: AbortSignal | undefined): Promise<boolean> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (this.#seen.size > 0 && (await this.#isAsSeen())) return false
      const seen = new Map<string, Seen>()
      const layers: LayerInput[] = []
      for (const source of this.#sources) {
        const { layer, ...file } = await this.#read(source, signal)
        seen.set(source.path, file)
        layers.push(layer)
      }
      if (!(await this.#areStill(seen))) continue
      signal?.throwIfAborted()
      if (this.#isClosed) return false
      const isSame = this.#sources.every(({ path }) => this.#seen.get(path)?.digest === seen.get(path)?.digest)
      if (!isSame) this.#options.table.setLayers(layers)
      this.#seen = seen
      return !isSame
    }
    throw new ParamError('PARAM_SOURCE_FAILED', `the files kept changing while they were read ${ATTEMPTS} times`, { outcome: 'not-applied' })
  }

  async #isAsSeen(): Promise<boolean> {
    return [...this.#seen.values()].every(({ isSettled }) => isSettled) && (await this.#areStill(this.#seen))
  }

  async #areStill(seen: ReadonlyMap<string, Seen>): Promise<boolean> {
    for (const [path, { stamp }] of seen) {
      const now = await stampAt(path).catch((error: unknown) => {
        throw sourceFailed(path, error)
      })
      if (now !== stamp) return false
    }
    return true
  }

  async #read({ path, format, prefix }: FileSource & { readonly format: FileFormat }, signal: AbortSignal | undefined): Promise<Seen & { readonly layer: LayerInput }> {
    try {
      const { text, stamp, changedAtMs } = await readSource(path, signal)
      const digest = createHash('sha256').update(text).digest('base64')
      return { stamp, digest, isSettled: this.#clock.now() - changedAtMs > SETTLED_MS, layer: await parseLayer(text, path, format, prefix) }
    } catch (error) {
      const wasThere = (this.#seen.get(path)?.stamp ?? undefined) !== undefined
      const isMissing = error instanceof ParamError && error.details['isMissing'] === true
      if (!isMissing || wasThere || this.#options.mayBeMissing !== true) throw error
      // Its place among the files is kept.
      return { stamp: undefined, digest: '', isSettled: true, layer: { kind: 'file', name: path, entries: [] } }
    }
  }

  #report(error: unknown): void {
    const text = String(error)
    if (text === this.#lastProblem || this.#isClosed) return
    this.#lastProblem = text
    try {
      this.#options.onProblem?.(error)
    } catch {
      // A listener must not end the following.
    }
  }
}
