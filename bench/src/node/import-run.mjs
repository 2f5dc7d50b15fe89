/** Bulk import on a node of its own: from the call until a search sees every row, the index still being built. */
import { HttpClient } from '@zilliz/milvus2-sdk-node'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { check, connect, createCollection, index } from './collection.mjs'
import { writeParquet } from './import-file.mjs'
import { newFolder, removeFolder, startProgram } from './program.mjs'

export async function openImport(rows, vectors) {
  const folder = newFolder()
  mkdirSync(path.join(folder, 'objects', 'import'), { recursive: true })
  await writeParquet(path.join(folder, 'objects', 'import', 'rows.parquet'), rows, vectors)
  const program = await startProgram(folder)
  return { folder, program, client: await connect(program.address), rows, runs: 0 }
}

/** Rows a second. */
export async function importRate(context) {
  const { client, program, rows } = context
  const collection_name = `import_${(context.runs += 1)}`
  await createCollection(client, collection_name)
  check(await client.createIndex({ collection_name, ...index }))
  check(await client.loadCollectionSync({ collection_name }))
  const http = new HttpClient({ endpoint: `http://${program.address}` })
  const begin = performance.now()
  const { code, message, data } = await http.createImportJobs({ collectionName: collection_name, files: [['rows.parquet']] })
  if (code !== 0) throw new Error(`the import was refused: ${message}`)
  for (;;) {
    const { data: job } = await http.getImportJobProgress({ jobId: data.jobId })
    if (job.state === 'Failed') throw new Error(`the import failed: ${job.reason}`)
    if (job.progress >= 70) {
      const { data: count } = check(await client.count({ collection_name, consistency_level: 'Strong' }))
      if (Number(count) === rows) break
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const ms = performance.now() - begin
  await client.dropCollection({ collection_name })
  return (rows * 1000) / ms
}

export async function closeImport({ folder, program, client }) {
  await client.closeConnection()
  await program.stop()
  removeFolder(folder)
}
