export { type FolderStorageOptions, openFolderStorage } from './folder.ts'
export { createMemoryStorage, type MemoryStorageOptions } from './memory.ts'
export { isStorageError, STORAGE_ERROR_CODES, StorageError, type StorageErrorCode } from './errors.ts'
export type { ByteRange, FileSystem, ObjectStorage, OpenFile, StoredObject } from './storage.ts'
