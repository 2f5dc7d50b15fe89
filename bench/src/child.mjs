/** One process of the bench: measures rows of one family and sends each result to the parent. */
import { pathToFileURL } from 'node:url'
import { measureFamily } from './runner.mjs'

const [file, ...ids] = process.argv.slice(2)
const family = await import(pathToFileURL(file).href)
await measureFamily(family, ids, (row) => process.send(row))
process.disconnect()
// What a family forgot to close must not hold the bench.
setTimeout(() => process.exit(0), 3000).unref()
