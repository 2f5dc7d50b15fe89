/** `npm run insight`: installs and builds if needed, then becomes the insight server, with the remaining arguments. */
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { ensureBuilt } from './lib/build.mjs'
import { ensureInstalled } from './lib/install.mjs'
import { listPackages, listWorkspaces } from './lib/repo.mjs'

try {
  ensureInstalled()
  const own = listWorkspaces(['examples/insight']).toReversed()
  ensureBuilt('insight', [...listPackages(), ...own])
  const server = own.find(({ name }) => name === 'timetick-insight')
  await import(pathToFileURL(path.join(server.dir, server.manifest.bin['timetick-insight'])).href)
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
