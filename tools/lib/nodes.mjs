/** Other versions of Node, as the npm package `node-<platform>-<arch>` ships them. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { exec } from './exec.mjs'
import { cacheDir } from './repo.mjs'

/** The program of the newest Node of this major version, fetched once; throws when it cannot be had. */
export async function nodeOf(major) {
  if (Number(process.versions.node.split('.')[0]) === major) return process.execPath
  const target = path.join(cacheDir, 'nodes', String(major))
  const program = path.join(target, 'bin/node')
  if (existsSync(program)) return program
  const name = `node-${process.platform}-${process.arch}`
  const fresh = `${target}.${process.pid}`
  mkdirSync(fresh, { recursive: true })
  try {
    const pack = await exec('npm', ['pack', `${name}@${major}`, '--loglevel=error', '--pack-destination', fresh], { cwd: fresh, timeoutMs: 180_000 })
    const archive = readdirSync(fresh).find((file) => file.endsWith('.tgz'))
    if (pack.code !== 0 || archive === undefined) throw new Error(`npm pack ${name}@${major} failed: ${pack.output.trim().split('\n').at(-1)}`)
    const unpack = await exec('tar', ['-xzf', archive, '--strip-components=1'], { cwd: fresh })
    if (unpack.code !== 0) throw new Error(`${archive} could not be unpacked`)
    rmSync(path.join(fresh, archive))
    renameSync(fresh, target)
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
  const check = await exec(program, ['--version'], { timeoutMs: 10_000 })
  if (check.code !== 0) throw new Error(`Node ${major} does not run here: ${check.output.trim()}`)
  return program
}
