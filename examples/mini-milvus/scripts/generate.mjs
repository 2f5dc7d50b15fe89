/**
 * Writes everything that is generated before a build: the wire types, from the descriptor inside the official Node SDK,
 * and the filter grammar's parser. Quick enough to run each time; a file is only touched when its text changed.
 */
import { pathToFileURL } from 'node:url'
import { generateWire } from './generate-wire.mjs'

/** Generates all; resolves to the paths that changed. */
export async function generate() {
  const changed = generateWire()
  const filter = new URL('./generate-filter.mjs', import.meta.url)
  const { generateFilter } = await import(filter.href).catch((error) => {
    if (error?.code === 'ERR_MODULE_NOT_FOUND' && String(error.url ?? error.message).includes('generate-filter')) return {}
    throw error
  })
  await generateFilter?.()
  return changed
}

export default generate

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await generate()
