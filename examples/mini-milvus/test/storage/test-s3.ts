/** The tests' S3 server. */
import { openS3Objects, type S3Options } from '../../src/storage/index.ts'
import type { RemoteObjects } from '../../src/storage/remote.ts'
import { runId, s3Keys, serviceUrl } from '../stores/services.edge.ts'

let roots = 0

/** Under a root path of its own. */
export function openTestS3(options: Partial<S3Options> = {}): Promise<RemoteObjects> {
  return openS3Objects({
    endpoint: serviceUrl('s3'),
    region: 'us-east-1',
    credentials: { accessKeyId: s3Keys.id, secretAccessKey: s3Keys.secret },
    pathStyle: true,
    bucket: `storage-${runId}`,
    createBucket: true,
    rootPath: `root${++roots}`,
    timeoutMs: 10_000,
    ...options,
  })
}
