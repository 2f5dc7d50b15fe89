/**
 * READMEs tell the truth: each ```ts and ```js block runs as a module against the built packages, `expression // => value` comments hold,
 * sections come in one order, and nobody has to read more than 150 lines. ```ts no-run blocks are type-checked only; `bash`, `yaml` and
 * others are left alone.
 */
import { mkdtempSync, readFileSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import ts from 'typescript'
import { exec } from './lib/exec.mjs'
import { listPackages, repoRoot } from './lib/repo.mjs'

const MAX_LINES = 150
/** What a package's README says, in this order; the headings that may stand for it. When not to use it may be said above the first heading; backends only where there are some. */
const SECTIONS = [
  { name: 'when not to use it', pattern: /when not|not for/i, isInIntroduction: true },
  { name: 'install', pattern: /install/i },
  { name: 'a first example', pattern: /start|example|use|usage|first|lines/i },
  { name: 'backends', pattern: /backends?\b/i, isOptional: true },
  { name: 'guarantees', pattern: /guarantee|promise/i },
  { name: 'errors', pattern: /error/i },
  { name: 'tested versions', pattern: /version|tested/i },
  { name: 'links', pattern: /links|more|see also|further/i },
]

/** Fenced blocks: `{ language, flags, code, line }`. */
export function blocksOf(markdown) {
  const blocks = []
  let open
  markdown.split('\n').forEach((text, index) => {
    const fence = /^\s*```(.*)$/.exec(text)
    if (open === undefined && fence !== null) {
      const [language = '', ...flags] = fence[1].trim().split(/\s+/)
      open = { language, flags, line: index + 1, code: [] }
    } else if (open !== undefined && /^\s*```\s*$/.test(text)) {
      blocks.push({ ...open, code: open.code.join('\n') })
      open = undefined
    } else open?.code.push(text)
  })
  return blocks
}

/** What is wrong with length and order. `isPackage` asks for the sections of a package's README. */
export function formProblems(markdown, isPackage) {
  const problems = []
  const lines = markdown.trimEnd().split('\n').length
  if (lines > MAX_LINES) problems.push(`${lines} lines, more than ${MAX_LINES}`)
  if (!isPackage) return problems
  const headings = headingsOf(markdown)
  const introduction = markdown.split(/^## /m)[0]
  let at = -1
  for (const { name, pattern, isOptional, isInIntroduction } of SECTIONS) {
    if (isInIntroduction && pattern.test(introduction)) continue
    const found = headings.findIndex((heading) => pattern.test(heading))
    if (found < 0) {
      if (!isOptional) problems.push(`no section about ${name}`)
      continue
    }
    const next = headings.findIndex((heading, i) => i > at && pattern.test(heading))
    if (next < 0) problems.push(`the section about ${name} comes too early`)
    else at = next
  }
  return problems
}

function headingsOf(markdown) {
  let isCode = false
  const headings = []
  for (const line of markdown.split('\n')) {
    if (/^\s*```/.test(line)) isCode = !isCode
    else if (!isCode && /^#{2,3} /.test(line)) headings.push(line.replace(/^#+ /, ''))
  }
  return headings
}

/**
 * Turns `expression // => value` into an assertion. The comment stands behind the end of an expression statement, behind the end of
 * `const x = expression`, or alone in the next line.
 */
export function withAssertions(code) {
  const source = ts.createSourceFile('block.ts', code, ts.ScriptTarget.ESNext, true)
  const edits = []
  let last = 0
  const expectedAfter = (node) => {
    const rest = code.slice(node.end)
    const match = /^[ \t]*;?[ \t]*(?:\n[ \t]*)?\/\/ => (.*)(?:\n|$)/.exec(rest)
    return match?.[1].trim()
  }
  const visit = (node) => {
    if (ts.isExpressionStatement(node)) {
      const expected = expectedAfter(node)
      if (expected !== undefined) {
        const { expression } = node
        const isLog = ts.isCallExpression(expression) && expression.expression.getText() === 'console.log' && expression.arguments.length === 1
        const target = isLog ? expression.arguments[0] : expression
        edits.push({ start: node.getStart(), end: node.end, text: `__expect(${target.getText()}, ${JSON.stringify(expected)});` })
        last += 1
        return
      }
    } else if (ts.isVariableStatement(node)) {
      const expected = expectedAfter(node)
      const [declaration] = node.declarationList.declarations
      if (expected !== undefined && declaration !== undefined && ts.isIdentifier(declaration.name)) {
        edits.push({ start: node.end, end: node.end, text: `; __expect(${declaration.name.text}, ${JSON.stringify(expected)});` })
        last += 1
      }
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  const written = [...code.matchAll(/\/\/ =>/g)].length
  let text = code
  for (const { start, end, text: replacement } of edits.sort((a, b) => b.start - a.start)) text = text.slice(0, start) + replacement + text.slice(end)
  return { text, assertions: last, unattached: written - last }
}

/** The same value, or one that Node prints the same way. An expectation that is no expression is compared as printed. */
const EXPECT = `import { isDeepStrictEqual as __equal, inspect as __inspect } from 'node:util'
function __expect(value, text) {
  let expected
  let isValue = true
  try { expected = (0, eval)('(' + text + ')') } catch { isValue = false }
  const flat = (s) => s.replace(/\\s+/g, ' ')
  const printed = __inspect(value, { depth: 8, breakLength: Infinity })
  const plain = (v) => v instanceof Uint8Array ? [...v] : v
  const same = (isValue && (__equal(value, expected) || __equal(plain(value), plain(expected)))) || flat(printed) === flat(text) || (typeof value === 'string' && value === text)
  if (!same) throw new Error('expected ' + text + ', got ' + printed)
}
`

function compile(code) {
  return ts.transpileModule(code, { reportDiagnostics: true, compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext } })
}

/** Runs one block in a scratch folder inside `dir`, so that packages are found by name. Gives what went wrong, or undefined. */
export async function runBlock(block, dir, { timeoutMs = 20_000 } = {}) {
  const { text, unattached } = withAssertions(block.code)
  if (unattached > 0) return `${unattached} of the \`// =>\` comments follow no expression`
  const { outputText, diagnostics = [] } = compile(text)
  if (diagnostics.length > 0) return ts.flattenDiagnosticMessageText(diagnostics[0].messageText, '\n')
  const scratch = mkdtempSync(path.join(dir, '.readme-'))
  try {
    writeFileSync(path.join(scratch, 'package.json'), '{ "type": "module" }')
    writeFileSync(path.join(scratch, 'block.mjs'), EXPECT + outputText)
    const { code, output, timedOut } = await exec(process.execPath, ['block.mjs'], { cwd: scratch, timeoutMs })
    if (timedOut) return `did not end within ${timeoutMs} ms (something was not closed?)`
    if (code !== 0) return output.split('\n').filter((line) => /Error|expected/.test(line)).slice(0, 3).join(' | ') || output.slice(-500)
    return undefined
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** Type-checks all TypeScript blocks of a README at once, as a consumer of the built packages would. */
export async function typeCheck(blocks, dir) {
  const typed = blocks.filter((block) => block.language === 'ts')
  if (typed.length === 0) return []
  const scratch = mkdtempSync(path.join(dir, '.readme-'))
  try {
    writeFileSync(path.join(scratch, 'package.json'), '{ "type": "module" }')
    const options = { target: 'es2023', lib: ['es2023', 'esnext.disposable'], module: 'nodenext', strict: true, noEmit: true, skipLibCheck: true, types: ['node'], moduleDetection: 'force' }
    writeFileSync(path.join(scratch, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, include: ['*.ts'] }))
    for (const block of typed) writeFileSync(path.join(scratch, `line-${block.line}.ts`), block.code)
    const { code, output } = await exec(process.execPath, [path.join(repoRoot, 'node_modules/typescript/bin/tsc'), '-p', '.', '--pretty', 'false'], { cwd: scratch })
    const problems = output.split('\n').filter((line) => /^line-\d+\.ts/.test(line)).map((line) => line.replace(/^line-(\d+)\.ts\((\d+),\d+\)/, (_, start, offset) => `line ${Number(start) + Number(offset)}`))
    return code !== 0 && problems.length === 0 ? [output.trim() || 'tsc failed'] : problems
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** Everything about one README: a list of `{ name, problem }`, `problem` undefined where it is good. */
export async function checkReadme(file, { isPackage, dir }) {
  const markdown = readFileSync(file, 'utf8')
  const name = path.relative(repoRoot, file)
  const problems = formProblems(markdown, isPackage)
  const results = [{ name: `${name} form`, problem: problems.join('; ') || undefined }]
  const blocks = blocksOf(markdown).filter((block) => block.language === 'ts' || block.language === 'js')
  if (isPackage && !blocks.some((block) => !block.flags.includes('no-run'))) results.push({ name: `${name} example`, problem: 'no block that runs' })
  const types = await typeCheck(blocks, dir)
  results.push({ name: `${name} types`, problem: types.join('; ') || undefined })
  for (const block of blocks) {
    if (!block.flags.includes('no-run')) results.push({ name: `${name}:${block.line}`, problem: await runBlock(block, dir) })
  }
  return results
}

/** All READMEs that users see. */
export async function checkReadmes() {
  const results = []
  for (const { dir, path: where } of listPackages()) {
    const file = path.join(dir, 'README.md')
    if (existsSync(file)) results.push(...(await checkReadme(file, { isPackage: true, dir })))
    else results.push({ name: `${where}/README.md`, problem: 'is missing' })
  }
  const node = path.join(repoRoot, 'examples/mini-milvus')
  if (existsSync(path.join(node, 'README.md'))) results.push(...(await checkReadme(path.join(node, 'README.md'), { isPackage: false, dir: node })))
  results.push(...(await checkReadme(path.join(repoRoot, 'README.md'), { isPackage: false, dir: node })))
  return results
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const results = await checkReadmes()
  const bad = results.filter(({ problem }) => problem !== undefined)
  for (const { name, problem } of bad) console.error(`${name}: ${problem}`)
  console.log(`README checks: ${results.length - bad.length} passed, ${bad.length} failed`)
  process.exitCode = bad.length > 0 ? 1 : 0
}
