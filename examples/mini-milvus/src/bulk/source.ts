/** Files that an import reads: by name, in pieces, never as a whole. */
export interface BulkFile {
  readonly path: string
  readonly bytes: number
  /** Bytes `offset .. offset + length`; a file that has become shorter is an error. */
  read(offset: number, length: number): Promise<Uint8Array>
}

const CHUNK_BYTES = 4 * 1024 * 1024

/** A file from `offset` on, in pieces of a few megabytes; the next piece is fetched while this one is read. */
export async function* chunksOf(file: BulkFile, offset = 0): AsyncGenerator<Uint8Array, void, undefined> {
  const piece = (at: number): Promise<Uint8Array> => file.read(at, Math.min(CHUNK_BYTES, file.bytes - at))
  let next = offset < file.bytes ? piece(offset) : undefined
  for (let at = offset; next !== undefined; ) {
    const chunk = await next
    at += chunk.length
    next = at < file.bytes ? piece(at) : undefined
    // Should the reader stop here, nobody waits for that piece.
    next?.catch(() => undefined)
    yield chunk
  }
}
