/**
 * What users install: each package is packed, the tarball looked at by publint and are-the-types-wrong, all of them installed in an empty
 * project without any driver, every entry imported and required on each supported Node, and compiled by a strict consumer.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { binOf, exec } from './lib/exec.mjs'
import { nodeOf } from './lib/nodes.mjs'
import { listPackages, listWorkspaces } from './lib/repo.mjs'

export const NODE_MAJORS = [20, 22, 24]
const ENTRY_LIMIT_BYTES = 15 * 1024

const entriesOf = ({ name, manifest }) => Object.keys(manifest.exports ?? {}).filter((key) => key !== './package.json').map((key) => `${name}${key.slice(1)}`)

/** The tarball of a workspace, in `into`. */
async function pack(workspace, into) {
  const own = path.join(into, workspace.name.replace(/\W+/g, '-'))
  mkdirSync(own)
  const { code, output } = await exec('npm', ['pack', '--ignore-scripts', '--loglevel=error', '--pack-destination', own], { cwd: workspace.dir })
  const file = readdirSync(own).find((name) => name.endsWith('.tgz'))
  if (code !== 0 || file === undefined) throw new Error(`npm pack failed: ${output.slice(-500)}`)
  return path.join(own, file)
}

async function lintTarball({ manifest }, tarball) {
  const bytes = readFileSync(tarball)
  const { messages } = await publint({ level: 'suggestion', strict: true, pack: { tarball: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) } })
  const problems = messages.map((message) => formatMessage(message, manifest, { color: false }) ?? message.code)
  return problems.join('; ') || undefined
}

async function checkTypesOf(tarball) {
  const { code, output } = await exec(process.execPath, [binOf('@arethetypeswrong/cli/dist/index.js'), tarball, '--profile', 'esm-only', '--no-definitely-typed', '--no-color', '--no-emoji', '--format', 'ascii'])
  return code === 0 ? undefined : output.trim().slice(-1500)
}

/** Modules that a built entry imports statically, through its chunks; dynamic imports are what drivers are meant to be. */
export async function bundleOf(file) {
  const { metafile, outputFiles } = await build({ entryPoints: [file], bundle: true, write: false, metafile: true, format: 'esm', platform: 'node', packages: 'external', minify: true, outdir: path.dirname(file), logLevel: 'silent' })
  const imports = Object.values(metafile.outputs).flatMap((output) => output.imports)
  return {
    gzipBytes: gzipSync(outputFiles[0].contents).length,
    statics: [...new Set(imports.filter(({ kind, external }) => kind === 'import-statement' && external).map(({ path: name }) => name))],
  }
}

/** Drivers in the wrong place, of one package: imported statically by any entry, or named in a declaration. */
async function driverProblems({ dir, manifest }) {
  const peers = Object.keys(manifest.peerDependencies ?? {})
  const problems = []
  for (const [key, entry] of Object.entries(manifest.exports)) {
    if (typeof entry !== 'object') continue
    const { statics } = await bundleOf(path.join(dir, entry.default))
    const drivers = statics.filter((name) => peers.some((peer) => name === peer || name.startsWith(`${peer}/`)))
    if (drivers.length > 0) problems.push(`${key} imports ${drivers.join(', ')} as it is loaded`)
  }
  for (const file of readdirSync(path.join(dir, 'dist')).filter((name) => name.endsWith('.d.ts'))) {
    const text = readFileSync(path.join(dir, 'dist', file), 'utf8')
    for (const peer of peers) if (new RegExp(`(from|import\\()\\s*['"]${peer}['"/]`).test(text)) problems.push(`dist/${file} names types of ${peer}`)
  }
  return problems.join('; ') || undefined
}

/** Loads every entry in a fresh process; a warning, an open handle or a driver that is asked for shows. */
const loader = (entries, form) => {
  const load = form === 'import' ? 'await import(name)' : 'require(name)'
  const head = form === 'import' ? '' : `import { createRequire } from 'node:module'\nconst require = createRequire(import.meta.url)\n`
  return `${head}for (const name of ${JSON.stringify(entries)}) {
  let loaded
  try { loaded = ${load} } catch (error) { throw new Error(name + ': ' + error.message, { cause: error }) }
  if (Object.keys(loaded).length === 0) throw new Error(name + ' exports nothing')
}
`
}

async function loadAll(project, entries, node) {
  for (const form of ['import', 'require']) {
    const file = path.join(project, `${form}.mjs`)
    writeFileSync(file, loader(entries, form))
    const { code, output, timedOut } = await exec(node, [file], { cwd: project, timeoutMs: 30_000, env: { NODE_OPTIONS: '' } })
    if (timedOut) return `${form}: the process did not end by itself`
    if (code !== 0) return `${form}: ${output.split('\n').find((line) => /^\w*Error/.test(line)) ?? output.slice(0, 500)}`
    if (output.trim() !== '') return `${form} prints: ${output.trim().slice(0, 300)}`
  }
  return undefined
}

/** A consumer with ES2022 and the web's types (AbortSignal is one of them), no types of Node, and library checks on. */
async function compileConsumer(project, entries, resolution) {
  const dir = path.join(project, `consumer-${resolution}`)
  mkdirSync(dir)
  writeFileSync(path.join(dir, 'consumer.ts'), entries.map((name, i) => `import type * as e${i} from '${name}'\nexport type E${i} = typeof e${i}`).join('\n'))
  const options = { target: 'es2022', lib: ['es2022', 'dom'], types: [], module: resolution === 'nodenext' ? 'nodenext' : 'esnext', moduleResolution: resolution, strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false, noEmit: true }
  writeFileSync(path.join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions: options }))
  const { code, output } = await exec(process.execPath, [binOf('typescript/bin/tsc'), '-p', dir, '--pretty', 'false'], { cwd: project })
  return code === 0 ? undefined : output.split('\n').slice(0, 6).join(' | ')
}

/** All checks: `{ results: [{ name, problem }], untested: [], sizes: [{ entry, gzipBytes }] }`. */
export async function checkPacks() {
  const results = []
  const untested = []
  const sizes = []
  const scratch = mkdtempSync(path.join(os.tmpdir(), 'timetick-pack-'))
  const add = async (name, work) => {
    try {
      results.push({ name, problem: await work() })
    } catch (error) {
      results.push({ name, problem: error.message })
    }
  }
  try {
    const packages = listPackages()
    const tarballs = []
    for (const workspace of packages) {
      await add(`${workspace.name} packs and publint agrees`, async () => {
        const tarball = await pack(workspace, scratch)
        tarballs.push(tarball)
        return await lintTarball(workspace, tarball)
      })
      if (tarballs.at(-1)?.includes(workspace.name.replace(/\W+/g, '-')) ?? false) await add(`${workspace.name} has the right types`, () => checkTypesOf(tarballs.at(-1)))
      await add(`${workspace.name} loads no driver by itself`, () => driverProblems(workspace))
      for (const [key, entry] of Object.entries(workspace.manifest.exports)) {
        const file = typeof entry === 'object' ? path.join(workspace.dir, entry.default) : undefined
        if (file !== undefined && existsSync(file)) sizes.push({ entry: `${workspace.name}${key.slice(1)}`, gzipBytes: (await bundleOf(file)).gzipBytes })
      }
    }
    const node = listWorkspaces(['examples']).find((w) => w.name === 'mini-milvus')
    if (node !== undefined) await add('mini-milvus packs and publint agrees', async () => await lintTarball(node, await pack(node, scratch)))
    await checkInstalled({ packages, tarballs, scratch, add, untested })
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
  return { results, untested, sizes }
}

async function checkInstalled({ packages, tarballs, scratch, add, untested }) {
  const project = path.join(scratch, 'project')
  mkdirSync(project)
  writeFileSync(path.join(project, 'package.json'), '{ "name": "consumer", "private": true, "type": "module" }')
  let isInstalled = false
  await add('the tarballs install in an empty project', async () => {
    const { code, output } = await exec('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error', ...tarballs], { cwd: project, timeoutMs: 120_000 })
    isInstalled = code === 0
    return isInstalled ? undefined : output.slice(-800)
  })
  if (!isInstalled) return
  const drivers = packages.flatMap(({ manifest }) => Object.keys(manifest.peerDependencies ?? {}))
  await add('no driver is installed with them', async () => drivers.filter((name) => existsSync(path.join(project, 'node_modules', name))).join(', ') || undefined)
  const entries = packages.flatMap(entriesOf)
  for (const major of NODE_MAJORS) {
    let program
    try {
      program = await nodeOf(major)
    } catch (error) {
      untested.push(`packages on Node ${major}: ${error.message}`)
      continue
    }
    await add(`every entry loads by import and by require on Node ${major}`, () => loadAll(project, entries, program))
  }
  for (const resolution of ['nodenext', 'bundler']) await add(`a strict consumer compiles (${resolution})`, () => compileConsumer(project, entries, resolution))
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { results, untested, sizes } = await checkPacks()
  const bad = results.filter(({ problem }) => problem !== undefined)
  for (const { entry, gzipBytes } of sizes) console.log(`${entry.padEnd(32)} ${(gzipBytes / 1024).toFixed(1)} kB gzip${gzipBytes > ENTRY_LIMIT_BYTES ? '  (goal: 15 kB)' : ''}`)
  for (const { name, problem } of bad) console.error(`${name}: ${problem}`)
  for (const reason of untested) console.log(`not tested: ${reason}`)
  console.log(`pack checks: ${results.length - bad.length} passed, ${bad.length} failed`)
  process.exitCode = bad.length > 0 ? 1 : 0
}
