/** Where an export goes, and how it asks. */
import { open } from 'node:fs/promises'
import { request } from 'node:http'

export interface Output {
  write(bytes: Uint8Array): Promise<void>
  close(): Promise<void>
}

/** A file that must be new, or standard output. */
export async function openOutput(path: string | undefined): Promise<Output> {
  if (path === undefined) {
    return { write: (bytes) => new Promise((done, fail) => void process.stdout.write(bytes, (error) => (error ? fail(error) : done()))), close: async () => undefined }
  }
  const file = await open(path, 'wx')
  return {
    write: async (bytes) => {
      await file.appendFile(bytes)
    },
    async close() {
      await file.datasync()
      await file.close()
    },
  }
}

export function postJson(url: string, body: string): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method: 'POST', headers: { 'Content-Type': 'application/json' } }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.once('end', () => resolve(Buffer.concat(chunks)))
      response.once('error', reject)
    })
    asked.once('error', reject)
    asked.end(body)
  })
}

/** Keeps the process alive meanwhile. */
export function pauseFor(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
