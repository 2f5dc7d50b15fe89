// Compiles the filter grammar into src/filter/generated/.
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import peggy from 'peggy'

const declarations = `import type { Expr } from '../ast.ts'
import type { Builder } from '../build.ts'

export interface Expectation {
  readonly type: 'literal' | 'class' | 'any' | 'end' | 'other'
  readonly text?: string
  readonly description?: string
}

export class SyntaxError extends Error {
  readonly expected: readonly Expectation[] | null
  readonly found: string | null
  readonly location: { readonly start: { readonly offset: number } }
}

export function parse(text: string, options: { readonly builder: Builder }): Expr
`

export async function generateFilter() {
  const grammar = new URL('../src/filter/grammar.peggy', import.meta.url)
  const folder = new URL('../src/filter/generated/', import.meta.url)
  const source = peggy.generate(await readFile(grammar, 'utf8'), { output: 'source', format: 'es', grammarSource: 'grammar.peggy' })
  await mkdir(folder, { recursive: true })
  await writeChanged(new URL('parser.js', folder), source)
  await writeChanged(new URL('parser.d.ts', folder), declarations)
}

/** Leaves a file alone that is up to date, and never shows a reader half of one. */
async function writeChanged(file, text) {
  const old = await readFile(file, 'utf8').catch(() => undefined)
  if (old === text) return
  const temporary = new URL(`${file.href}.${process.pid}.tmp`)
  await writeFile(temporary, text)
  await rename(temporary, file)
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await generateFilter()
