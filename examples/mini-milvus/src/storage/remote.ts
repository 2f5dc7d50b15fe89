/** What a store of objects on other machines must do; {@link openCachedStorage} makes object storage of it. Keys are checked already. */
export interface RemoteObjects {
  /** Seen whole or not at all; `chunks` may be as long as they like. */
  put(key: string, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void>
  /** Fills `target` from `offset` of the object; `STORAGE_CORRUPT` if it has fewer bytes, `STORAGE_NOT_FOUND` if it is not there. */
  readInto(key: string, target: Uint8Array, offset: number): Promise<void>
  /** Bytes, or undefined for what is not there. */
  size(key: string): Promise<number | undefined>
  /** A page of the objects whose key begins with `prefix`, and where the next page begins. */
  list(prefix: string, next: string | undefined): Promise<RemotePage>
  /** A missing object is no failure. */
  delete(key: string): Promise<void>
  /** Calls under way reject. Idempotent. */
  close(): Promise<void>
}

export interface RemotePage {
  readonly objects: readonly { readonly key: string; readonly bytes: number }[]
  readonly next: string | undefined
}
