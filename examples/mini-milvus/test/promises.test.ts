/** The rules of security S1 to S20 and the users' stories D1 to D15 of the specification: each has a test that carries its name. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const folder = fileURLToPath(new URL('.', import.meta.url))

/** Titles of tests and of groups of tests, as they are written. */
function titles(): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts') && name !== 'promises.test.ts')
    .flatMap((name) => [...readFileSync(`${folder}/${name}`, 'utf8').matchAll(/^\s*(?:\]\))?\s*(?:it|test|describe)?(?:\.each\(.*\))?\(\s*(['"`])(.+?)\1/gm)].map(([, , title = '']) => title))
}

const all = titles()
const hasTest = (id: string): boolean => all.some((title) => new RegExp(`(?:^|[ (])${id}(?:[:, )]|$)`).test(title))
const named = (letter: string, count: number): string[] => Array.from({ length: count }, (_, index) => `${letter}${index + 1}`)

it('each rule of security has a test of its name', () => {
  expect(all.length).toBeGreaterThan(500)
  expect(named('S', 20).filter((id) => !hasTest(id))).toEqual([])
})

it('each story of users has a test of its name', () => {
  expect(named('D', 15).filter((id) => !hasTest(id))).toEqual([])
})
