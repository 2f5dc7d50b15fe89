/** What a bundle of each entry weighs, gzipped, without drivers and dependencies. */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { Skip } from '../measure.mjs'

const packages = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../packages')

async function bundledBytes(file) {
  if (!existsSync(file)) throw new Skip(`${path.relative(packages, file)} is not built`)
  const { build } = await import('esbuild')
  const { outputFiles } = await build({ entryPoints: [file], bundle: true, write: false, format: 'esm', platform: 'node', packages: 'external', minify: true, logLevel: 'silent' })
  return gzipSync(outputFiles[0].contents).length / 1024
}

const entryRows = (name) => {
  const { exports } = JSON.parse(readFileSync(path.join(packages, name, 'package.json'), 'utf8'))
  return Object.entries(exports).filter(([, entry]) => typeof entry === 'object').map(([key, entry]) => ({
    id: `size.${name}${key === '.' ? '' : key.replace('./', '.')}`, work: 'bundled entry, gzip, without drivers', unit: 'KB', goal: { op: '<=', value: 15, moonshot: 8 }, warmups: 0,
    measure: () => bundledBytes(path.join(packages, name, entry.default)),
  }))
}

export const isolation = 'family'
export const rows = readdirSync(packages).filter((name) => existsSync(path.join(packages, name, 'package.json'))).flatMap(entryRows)
