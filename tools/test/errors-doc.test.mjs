import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { codesOf, collectErrors, errorsFile, renderErrors } from '../errors-doc.mjs'

test('a table of codes is found by name and form', () => {
  const table = { A_CLOSED: { retryable: false, summary: 'Closed.' } }
  assert.equal(codesOf({ other: 1, A_ERROR_CODES: table }), table)
  assert.equal(codesOf({ A_ERROR_CODES: { A_CLOSED: { retryable: 'no' } } }), undefined)
  assert.match(renderErrors([{ name: 'a', codes: table }]), /\| `A_CLOSED` \| no \| Closed\. \|/)
})

test('every package has a table, codes carry one prefix each, and docs/errors.md is current', async () => {
  const { packages, missing } = await collectErrors()
  assert.deepEqual(missing, [])
  for (const { name, codes } of packages) {
    const prefixes = new Set(Object.keys(codes).map((code) => code.split('_')[0]))
    assert.equal(prefixes.size, 1, `${name}: ${[...prefixes]}`)
    for (const code of Object.keys(codes)) assert.match(code, /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$/)
  }
  assert.equal(readFileSync(errorsFile, 'utf8'), renderErrors(packages), 'run node tools/errors-doc.mjs')
})
