/** Single requests to S3 through the official client, which is loaded here and nowhere else. */
import type * as Driver from '@aws-sdk/client-s3'
import { StorageError } from './errors.ts'
import type { RemotePage } from './remote.ts'

export interface S3Connection {
  /** URL; undefined for the public service of the region. */
  readonly endpoint: string | undefined
  readonly region: string
  /** Undefined: from the environment, the profile or the machine's role. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined
  /** The bucket's name stands in the path, as most servers but the public service need it. */
  readonly pathStyle: boolean
  readonly bucket: string
  readonly timeoutMs: number
  /** Tries of one request, the first among them. */
  readonly maxAttempts: number
  /** Keys of a page of a listing. Servers give 1000 at most. */
  readonly pageKeys?: number | undefined
}

/** A part of an object, as it comes. */
export interface S3Body {
  readonly etag: string | undefined
  readonly chunks: AsyncIterable<Uint8Array>
}

/** Every call here may be repeated without harm; the client repeats those that fail in passing. */
export interface S3Calls {
  put(key: string, body: Uint8Array): Promise<void>
  get(key: string, offset: number, length: number, etag: string | undefined): Promise<S3Body>
  size(key: string): Promise<number>
  list(prefix: string, next: string | undefined): Promise<RemotePage>
  delete(key: string): Promise<void>
  beginParts(key: string): Promise<string>
  putPart(key: string, upload: string, number: number, body: Uint8Array): Promise<string>
  endParts(key: string, upload: string, etags: readonly string[]): Promise<void>
  abortParts(key: string, upload: string): Promise<void>
  findBucket(): Promise<void>
  createBucket(): Promise<void>
  close(): void
}

/** @param signal ends calls under way */
export async function connectS3(connection: S3Connection, signal: AbortSignal): Promise<S3Calls> {
  const sdk = await loadDriver()
  const { bucket: Bucket, timeoutMs } = connection
  const client = new sdk.S3Client({
    region: connection.region,
    forcePathStyle: connection.pathStyle,
    maxAttempts: connection.maxAttempts,
    ...(connection.endpoint === undefined ? {} : { endpoint: connection.endpoint }),
    ...(connection.credentials === undefined ? {} : { credentials: connection.credentials }),
    // Newer checksums are unknown to many servers; segments and indexes have checksums of their own.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: { connectionTimeout: Math.min(timeoutMs, 5000), requestTimeout: timeoutMs, throwOnRequestTimeout: true, socketTimeout: timeoutMs },
  })
  const options = { abortSignal: signal }
  return {
    async put(Key, Body) {
      await client.send(new sdk.PutObjectCommand({ Bucket, Key, Body, ContentLength: Body.length }), options)
    },
    async get(Key, offset, length, etag) {
      const { Body, ETag } = await client.send(new sdk.GetObjectCommand({ Bucket, Key, Range: `bytes=${offset}-${offset + length - 1}`, ...(etag === undefined ? {} : { IfMatch: etag }) }), options)
      if (Body === undefined) throw new Error('an answer without a body')
      return { etag: ETag, chunks: Body as unknown as AsyncIterable<Uint8Array> }
    },
    async size(Key) {
      return (await client.send(new sdk.HeadObjectCommand({ Bucket, Key }), options)).ContentLength ?? 0
    },
    async list(Prefix, next) {
      const page = await client.send(new sdk.ListObjectsV2Command({ Bucket, Prefix, MaxKeys: connection.pageKeys ?? 1000, ...(next === undefined ? {} : { ContinuationToken: next }) }), options)
      const objects = (page.Contents ?? []).flatMap(({ Key, Size }) => (Key === undefined ? [] : [{ key: Key, bytes: Size ?? 0 }]))
      return { objects, next: page.IsTruncated === true ? page.NextContinuationToken : undefined }
    },
    async delete(Key) {
      await client.send(new sdk.DeleteObjectCommand({ Bucket, Key }), options)
    },
    async beginParts(Key) {
      const { UploadId } = await client.send(new sdk.CreateMultipartUploadCommand({ Bucket, Key }), options)
      if (UploadId === undefined) throw new Error('an upload without an id')
      return UploadId
    },
    async putPart(Key, UploadId, PartNumber, Body) {
      const { ETag } = await client.send(new sdk.UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body, ContentLength: Body.length }), options)
      if (ETag === undefined) throw new Error('a part without an ETag')
      return ETag
    },
    async endParts(Key, UploadId, etags) {
      const Parts = etags.map((ETag, index) => ({ ETag, PartNumber: index + 1 }))
      await client.send(new sdk.CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }), options)
    },
    async abortParts(Key, UploadId) {
      await client.send(new sdk.AbortMultipartUploadCommand({ Bucket, Key, UploadId }))
    },
    async findBucket() {
      await client.send(new sdk.HeadBucketCommand({ Bucket }), options)
    },
    async createBucket() {
      await client.send(new sdk.CreateBucketCommand({ Bucket }), options)
    },
    close: () => client.destroy(),
  }
}

async function loadDriver(): Promise<typeof Driver> {
  try {
    return await import('@aws-sdk/client-s3')
  } catch (cause) {
    throw new StorageError('STORAGE_DRIVER_MISSING', 'object storage on S3 needs the package @aws-sdk/client-s3: npm install @aws-sdk/client-s3', { cause })
  }
}
