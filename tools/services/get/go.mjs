/** Programs built by Go, with its caches in a temporary folder: only the result is kept. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { run, which } from '../run.mjs'

/** Builds `packagePath` of `module@version` as `directory/name`. */
export async function goBuild({ module, version, packagePath = module, name }, directory) {
  if (which('go') === undefined) throw new Error('go is not there')
  const scratch = mkdtempSync(path.join(os.tmpdir(), 'timetick-go-'))
  try {
    const work = path.join(scratch, 'work')
    mkdirSync(work)
    const env = { GOMODCACHE: path.join(scratch, 'mod'), GOCACHE: path.join(scratch, 'cache'), GOFLAGS: '-modcacherw -buildvcs=false', CGO_ENABLED: '0', GOTOOLCHAIN: 'local' }
    await run('go', ['mod', 'init', 'timetick-service'], { cwd: work, env })
    await run('go', ['get', `${module}@${version}`], { cwd: work, env })
    await run('go', ['get', `${packagePath}@${version}`], { cwd: work, env }).catch(() => undefined)
    await run('go', ['build', '-trimpath', '-ldflags', '-s -w', '-o', path.join(directory, name), packagePath], { cwd: work, env })
  } finally {
    for (const entry of readdirSync(scratch)) chmodSync(path.join(scratch, entry), 0o755)
    rmSync(scratch, { recursive: true, force: true })
  }
}
