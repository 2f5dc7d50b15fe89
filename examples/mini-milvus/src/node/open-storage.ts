/** Object storage that several processes share, where the parameters say. */
import type { GlobalParamsTable } from '@timetick/paramtable'
import { openFolderStorage, sharedFileSystem, type ObjectStorage } from '../storage/index.ts'
import { StoresError } from './stores-error.ts'

/** Files lie in `<sharedStorage.path>/<cluster>`. */
export async function openSharedFolder(parameters: GlobalParamsTable, clusterName: string): Promise<ObjectStorage> {
  const path = parameters.getString('sharedStorage.path')
  if (path === '') throw new StoresError('STORES_INVALID', 'expected sharedStorage.path to be a folder with storage.type=shared, got none')
  return openFolderStorage({ path: `${path}/${clusterName}`, fs: sharedFileSystem })
}
