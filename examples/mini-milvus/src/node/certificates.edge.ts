/** Certificates and keys that parameters name by their path. */
import { readFile } from 'node:fs/promises'
import type { GlobalParamsTable } from '@timetick/paramtable'
import { StoresError } from './stores-error.ts'

/** Undefined where the parameter is empty. */
export async function readCertificate(parameters: GlobalParamsTable, key: string): Promise<Uint8Array | undefined> {
  const path = parameters.getString(key)
  if (path === '') return undefined
  try {
    return await readFile(path)
  } catch (cause) {
    throw new StoresError('STORES_INVALID', `${key}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}
