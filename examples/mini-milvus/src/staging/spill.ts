/** Where staged rows go that are too many for memory. */

export interface SpillFile {
  /** @returns where the bytes begin */
  append(bytes: Uint8Array): Promise<number>
  read(offset: number, length: number): Promise<Uint8Array>
  /** Removes it. Idempotent. */
  close(): Promise<void>
}

export interface SpillFolder {
  create(): Promise<SpillFile>
  /** Removes what is in it. */
  clear(): Promise<void>
}
