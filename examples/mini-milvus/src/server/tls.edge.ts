/** TLS of the public port: certificates from files, read again when they change. */
import { stat, readFile } from 'node:fs/promises'
import type { Server, TlsOptions } from 'node:tls'

export interface TlsSettings {
  /** Certificate chain and private key of the node, PEM. */
  readonly certPath: string
  readonly keyPath: string
  /** Authorities of client certificates, PEM; with it, a client without a certificate of theirs is refused. */
  readonly caPath?: string | undefined
  readonly reloadIntervalMs: number
}

/** A file of certificates could not be used. */
export class TlsFileError extends Error {
  override readonly name: string = 'TlsFileError'
}

const HANDSHAKE_MS = 10_000

/** Rejects with TlsFileError for what cannot be read. */
export async function readTls({ certPath, keyPath, caPath }: TlsSettings): Promise<TlsOptions> {
  const [cert, key, ca] = await Promise.all([read(certPath), read(keyPath), caPath === undefined ? undefined : read(caPath)])
  return {
    cert,
    key,
    ...(ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true }),
    minVersion: 'TLSv1.2',
    handshakeTimeout: HANDSHAKE_MS,
    ALPNProtocols: ['h2', 'http/1.1'],
  }
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    throw new TlsFileError(`cannot read ${path === '' ? 'the certificate: no path is given' : path}: ${error instanceof Error ? error.message : 'unreadable'}`, { cause: error })
  }
}

/** New connections get new certificates; ones that are no certificates leave the old ones in place. The result stops it. */
export function watchTls(server: Server, settings: TlsSettings, onError: (error: unknown) => void): () => void {
  let seen = ''
  const look = async (): Promise<void> => {
    const now = await stamps(settings)
    if (seen !== '' && now !== seen) server.setSecureContext(await readTls(settings))
    seen = now
  }
  let busy = false
  const timer = setInterval(() => {
    if (busy) return
    busy = true
    look()
      .catch(onError)
      .finally(() => {
        busy = false
      })
  }, settings.reloadIntervalMs)
  timer.unref()
  stamps(settings).then((first) => (seen = first), onError)
  return () => clearInterval(timer)
}

async function stamps({ certPath, keyPath, caPath }: TlsSettings): Promise<string> {
  const paths = caPath === undefined ? [certPath, keyPath] : [certPath, keyPath, caPath]
  const files = await Promise.all(paths.map((path) => stat(path)))
  return files.map(({ mtimeMs, size, ino }) => `${mtimeMs}:${size}:${ino}`).join(' ')
}
