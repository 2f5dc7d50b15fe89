/** Object storage that several processes share, where the parameters say. */
import type { GlobalParamsTable } from '@timetick/paramtable'
import { nameOfKey, nodeFileSystem, openCachedStorage, openFolderStorage, openS3Objects, sharedFileSystem, type ObjectStorage } from '../storage/index.ts'
import { addressUrl } from './store-addresses.ts'
import { StoresError } from './stores-error.ts'

/** Files lie in `<sharedStorage.path>/<cluster>`. */
export async function openSharedFolder(parameters: GlobalParamsTable, clusterName: string): Promise<ObjectStorage> {
  const path = parameters.getString('sharedStorage.path')
  if (path === '') throw new StoresError('STORES_INVALID', 'expected sharedStorage.path to be a folder with storage.type=shared, got none')
  return openFolderStorage({ path: `${path}/${clusterName}`, fs: sharedFileSystem })
}

/** Objects are `<minio.rootPath>/<cluster>/…` in the bucket; copies of some lie in the cache of this machine. */
export async function openS3(parameters: GlobalParamsTable, clusterName: string): Promise<ObjectStorage> {
  const rootPath = parameters.getString('minio.rootPath')
  if (!/^[A-Za-z0-9!_.*'()-]+(\/[A-Za-z0-9!_.*'()-]+)*$/.test(rootPath)) throw new StoresError('STORES_INVALID', `expected minio.rootPath to be plain names between slashes, got ${JSON.stringify(rootPath)}`)
  const bucket = parameters.getString('minio.bucketName')
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) throw new StoresError('STORES_INVALID', `expected minio.bucketName to be 3 to 63 of [a-z0-9.-], got ${JSON.stringify(bucket)}`)
  const accessKeyId = parameters.getString('minio.accessKeyID')
  const secretAccessKey = parameters.getString('minio.secretAccessKey')
  const region = parameters.getString('minio.region')
  const remote = await openS3Objects({
    endpoint: endpointOf(parameters),
    region: region === '' ? 'us-east-1' : region,
    credentials: parameters.getBool('minio.useIAM') ? undefined : { accessKeyId, secretAccessKey },
    pathStyle: !parameters.getBool('minio.useVirtualHost'),
    bucket,
    createBucket: parameters.getBool('minio.createBucket'),
    rootPath: `${rootPath}/${clusterName}`,
    timeoutMs: parameters.getDurationMs('minio.requestTimeoutMs'),
  })
  const cachePath = parameters.getString('storage.cache.path')
  return openCachedStorage({
    remote,
    cachePath: cachePath === '' ? `${parameters.getString('localStorage.path')}/cache` : cachePath,
    maxCacheBytes: parameters.getBytes('storage.cache.maxBytes'),
    fs: nodeFileSystem,
    nameOf: nameOfKey,
  })
}

function endpointOf(parameters: GlobalParamsTable): string | undefined {
  const address = parameters.getString('minio.address')
  if (address === '') return undefined
  const hasPort = /:\d+\/?$/.test(address)
  const isUrl = /^https?:\/\//.test(address)
  return addressUrl('minio.address', hasPort || isUrl ? address : `${address}:${parameters.getInt('minio.port')}`, parameters.getBool('minio.useSSL'))
}
