/**
 * Who may import whom. Packages see each other's types only, and only along the arrows; examples may import everything,
 * but by its public name; nobody reaches into another workspace by path. Also finds the ways around the linter's rule
 * on edge files that it does not see: dynamic imports and `require` of disk, network and timers.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import ts from 'typescript'
import { repoRoot } from './lib/repo.mjs'

/** From a package (and the part of it that has the arrow, as a file prefix inside `src`) to the packages it may name. */
export const ARROWS = [
  { from: 'packages/tso', part: '', to: ['@timetick/kv'] },
  { from: 'packages/watchdog', part: 'session', to: ['@timetick/kv'] },
  { from: 'packages/paramtable', part: 'kv', to: ['@timetick/kv'] },
  { from: 'packages/flowgraph', part: 'msgstream', to: ['@timetick/msgstream'] },
]
/** Examples that may not import everything. */
const NARROW_EXAMPLES = { 'examples/insight': ['@timetick/kv', 'mini-milvus', 'timetick-insight-web'] }
const EDGE_MODULES = new Set(['fs', 'fs/promises', 'net', 'tls', 'dgram', 'dns', 'dns/promises', 'timers', 'timers/promises', 'perf_hooks'])
const BUILTINS = new Set(builtinModules)
const isEdge = (file) => /(^|\/)(edge\.ts|[^/]*\.edge\.ts)$/.test(file) || /(^|\/)edge\//.test(file)

/** Every module that a source names: `{ specifier, line, kind: 'type' | 'value' | 'dynamic' }`. */
export function importsOf(text, fileName = 'file.ts') {
  const source = ts.createSourceFile(fileName, text, ts.ScriptTarget.ESNext, true)
  const found = []
  const add = (node, literal, kind) => {
    if (literal !== undefined && ts.isStringLiteralLike(literal)) {
      found.push({ specifier: literal.text, kind, line: source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1 })
    }
  }
  const visit = (node) => {
    if (ts.isImportDeclaration(node)) add(node, node.moduleSpecifier, node.importClause?.isTypeOnly ? 'type' : 'value')
    else if (ts.isExportDeclaration(node)) add(node, node.moduleSpecifier, node.isTypeOnly ? 'type' : 'value')
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node, node.argument.literal, 'type')
    else if (ts.isCallExpression(node)) {
      const callee = node.expression
      const isImport = callee.kind === ts.SyntaxKind.ImportKeyword
      const isRequire = ts.isIdentifier(callee) && callee.text === 'require'
      const isBuiltin = ts.isPropertyAccessExpression(callee) && callee.name.text === 'getBuiltinModule'
      if (isImport || isRequire || isBuiltin) add(node, node.arguments[0], 'dynamic')
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

const packageNameOf = (specifier) => specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/')

function relativeProblem(file, workspace, specifier) {
  const target = path.posix.normalize(path.posix.join(path.posix.dirname(file), specifier))
  if (target !== workspace.dir && !target.startsWith(`${workspace.dir}/`)) return `reaches out of ${workspace.dir} by path: import by public name`
  const inSource = file.startsWith(`${workspace.dir}/src/`)
  if (inSource && !target.startsWith(`${workspace.dir}/src/`) && !target.endsWith('/package.json')) return 'reaches out of src'
  return undefined
}

function siblingProblem(file, workspace, target, found) {
  const { specifier, kind } = found
  const subpath = `.${specifier.slice(target.name.length)}`
  if (target.name === workspace.name) return undefined
  if (target.exports !== undefined && !(subpath in target.exports)) return `${specifier} is not a public entry of ${target.name}`
  const area = workspace.dir.split('/')[0]
  if (area !== 'packages') {
    const narrow = NARROW_EXAMPLES[workspace.dir] ?? NARROW_EXAMPLES[workspace.dir.split('/').slice(0, 2).join('/')]
    const isTool = target.dir === 'tools' && !file.startsWith(`${workspace.dir}/src/`)
    if (narrow !== undefined && !isTool && !narrow.includes(target.name)) return `${workspace.dir} may import only ${narrow.join(', ')}`
    return undefined
  }
  if (target.dir.startsWith('examples/')) return 'a package may not import an example'
  if (!file.startsWith(`${workspace.dir}/src/`)) return undefined
  const inside = file.slice(`${workspace.dir}/src/`.length)
  const belongs = (part) => part === '' || new RegExp(`^${part}([./-]|$)`).test(inside)
  const allowed = ARROWS.some((arrow) => arrow.from === workspace.dir && belongs(arrow.part) && arrow.to.includes(target.name))
  if (!allowed) return `no arrow from ${workspace.dir} (src/${inside}) to ${target.name}`
  if (kind !== 'type') return `${target.name} may be imported for its types only: write \`import type\``
  return undefined
}

function outsideProblem(file, workspace, found) {
  const { specifier, kind } = found
  const bare = specifier.replace(/^node:/, '')
  if (BUILTINS.has(bare) || specifier.startsWith('node:')) {
    const core = /^(packages|examples)\/.*?\bsrc\//.test(file) && !isEdge(file)
    if (core && kind === 'dynamic' && EDGE_MODULES.has(bare)) return `${specifier} may be imported only in edge files`
    return undefined
  }
  if (!file.startsWith(`${workspace.dir}/src/`) || kind === 'type') return undefined
  const name = packageNameOf(specifier)
  if (workspace.declared.has(name)) return undefined
  return `${name} is not among the dependencies or peerDependencies of ${workspace.dir}/package.json`
}

/** Problems of one file, as `path:line: text`. */
export function checkFile(file, text, workspace, workspaces) {
  const problems = []
  for (const found of importsOf(text, file)) {
    const { specifier } = found
    const target = workspaces.find((w) => specifier === w.name || specifier.startsWith(`${w.name}/`))
    let problem
    if (specifier.startsWith('.')) problem = relativeProblem(file, workspace, specifier)
    else if (specifier.startsWith('/') || specifier.startsWith('file:')) problem = 'absolute path'
    else if (target !== undefined) problem = siblingProblem(file, workspace, target, found)
    else problem = outsideProblem(file, workspace, found)
    if (problem !== undefined) problems.push(`${file}:${found.line}: import of '${specifier}': ${problem}`)
  }
  return problems
}

/** What {@link checkFile} needs to know of a workspace. */
export function describeWorkspace(dir, manifest) {
  const declared = new Set([...Object.keys(manifest.dependencies ?? {}), ...Object.keys(manifest.peerDependencies ?? {}), ...Object.keys(manifest.optionalDependencies ?? {})])
  return { dir, name: manifest.name, exports: manifest.exports, declared }
}

function findWorkspaces(root) {
  const found = []
  for (const area of ['packages', 'examples', 'examples/insight', 'bench', 'tools']) {
    const candidates = area === 'bench' || area === 'tools' ? [area] : listDirs(root, area).map((name) => `${area}/${name}`)
    for (const dir of candidates) {
      const manifest = readJson(path.join(root, dir, 'package.json'))
      if (manifest !== undefined) found.push(describeWorkspace(dir, manifest))
    }
  }
  return found
}
const listDirs = (root, area) => {
  try {
    return readdirSync(path.join(root, area), { withFileTypes: true }).filter((e) => e.isDirectory()).map((e) => e.name)
  } catch {
    return []
  }
}
const readJson = (file) => {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

const SKIP = new Set(['node_modules', 'dist', 'generated', '.turbo', '.cache', 'coverage'])
function* sourceFiles(root, dir) {
  for (const entry of readdirSync(path.join(root, dir), { withFileTypes: true })) {
    if (SKIP.has(entry.name)) continue
    const file = `${dir}/${entry.name}`
    if (entry.isDirectory()) yield* sourceFiles(root, file)
    else if (/\.(ts|tsx|mts|mjs|js)$/.test(entry.name) && !entry.name.endsWith('.d.ts')) yield file
  }
}

/** Checks the whole repository: `{ files, problems }`. */
export function checkRepository(root) {
  const workspaces = findWorkspaces(root)
  const problems = []
  let files = 0
  for (const workspace of workspaces) {
    if (workspace.dir === 'tools') continue
    for (const file of sourceFiles(root, workspace.dir)) {
      files += 1
      problems.push(...checkFile(file, readFileSync(path.join(root, file), 'utf8'), workspace, workspaces))
    }
  }
  return { files, problems }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { files, problems } = checkRepository(repoRoot)
  for (const problem of problems) console.error(problem)
  console.log(`arrows: ${files} files, ${problems.length} problems`)
  process.exitCode = problems.length > 0 || files === 0 ? 1 : 0
}
