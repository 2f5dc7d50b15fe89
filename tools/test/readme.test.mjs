import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blocksOf, formProblems, runBlock, typeCheck, withAssertions } from '../readme-check.mjs'
import { repoRoot } from '../lib/repo.mjs'

const run = (code) => runBlock({ code }, repoRoot)

test('blocks are found with language, flags and line', () => {
  const blocks = blocksOf('# x\n```ts no-run\nlet a\n```\n\n```bash\nls\n```\n')
  assert.deepEqual(blocks, [{ language: 'ts', flags: ['no-run'], line: 2, code: 'let a' }, { language: 'bash', flags: [], line: 6, code: 'ls' }])
})

test('U40 true expectations hold, in every form', async () => {
  assert.equal(await run(`
const a: bigint = 1n + 1n // => 2n
a // => 2n
console.log([a, 'x']) // => [ 2n, 'x' ]
await Promise.resolve({ b: [1] }) // => { b: [1] }
undefined // => undefined
new TextEncoder().encode('a') // => [97]
'plain words' // => plain words
a + 1n
// => 3n
`), undefined)
})

test('U40 false ones fail, and so does a block that throws, hangs or says nothing true', async () => {
  assert.match(await run('1 + 1 // => 3'), /expected 3, got 2/)
  assert.match(await run('const a = 2n // => 2'), /expected 2, got 2n/)
  assert.match(await run(`throw new Error('no such thing')`), /no such thing/)
  assert.match(await run(`import '@timetick/nowhere'`), /Cannot find package/)
  assert.match(await run('if (true) {} // => 1'), /follow no expression/)
  assert.match(await runBlock({ code: 'setInterval(() => {}, 1000)' }, repoRoot, { timeoutMs: 500 }), /did not end/)
})

test('every comment that promises a value becomes an assertion', () => {
  assert.equal(withAssertions('f(1) // => 1\nconst x = 2 // => 2\n').assertions, 2)
})

test('U40 types are checked, with the line of the README', async () => {
  const problems = await typeCheck([{ language: 'ts', line: 10, code: 'const a: number = 1\nconst b: string = a\nexport { b }' }], repoRoot)
  assert.equal(problems.length, 1)
  assert.match(problems[0], /^line 12.*TS2322/)
})

const SECTIONS = ['When not to use it', 'Install', 'Start', 'Backends', 'Guarantees', 'Errors', 'Tested versions', 'Links']
const page = (sections) => `# name\n\nOne sentence.\n\n${sections.map((name) => `## ${name}\n\ntext\n`).join('\n')}`

test('sections come in order and nothing is missing', () => {
  assert.deepEqual(formProblems(page(SECTIONS), true), [])
  assert.deepEqual(formProblems(page(SECTIONS.filter((name) => name !== 'Backends')), true), [])
  assert.deepEqual(formProblems(page(SECTIONS.slice(1)).replace('One sentence.', 'One sentence.\n\nNot for you if it rains.'), true), [])
  assert.match(formProblems(page(SECTIONS.slice(1)), true).join(), /when not to use it/)
  assert.match(formProblems(page(SECTIONS.filter((name) => name !== 'Errors')), true).join(), /no section about errors/)
  assert.match(formProblems(page(['Install', 'When not to use it', ...SECTIONS.slice(2)]), true).join(), /install comes too early/)
  assert.match(formProblems(`${page(SECTIONS)}${'\nline'.repeat(150)}`, true).join(), /more than 150/)
})
