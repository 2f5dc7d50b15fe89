// @ts-check
/**
 * One setting has a default, a line in a file, a variable of the environment and a value set at run time. Which one holds, and where does it
 * come from? And a bad value does not get in.
 *
 *     node main.mjs
 */
import assert from 'node:assert/strict'
import { createGlobalParamsTable, isParamError } from '@timetick/paramtable'

process.chdir(import.meta.dirname)

const params = createGlobalParamsTable({
  declarations: [
    { key: 'http.port', type: 'int', default: 80, min: 0, max: 65_535, doc: 'Port to listen on.' },
    { key: 'cache.size', type: 'bytes', default: '16m', doc: 'Memory for pages.' },
    { key: 'cache.ttl', type: 'durationMs', default: '1m', doc: 'How long a page stays.' },
    { key: 'database.host', type: 'string', default: 'localhost' },
    { key: 'database.password', type: 'string', secret: true },
  ],
  strict: true,
  env: { values: { SHOP_HTTP_PORT: '8080', PATH: '/usr/bin' }, prefix: 'SHOP_' }, // a service gives process.env
})

/** @param {string} key */
function explain(key) {
  const { value, source, overrides } = params.explain(key)
  const weaker = overrides.map((it) => `\n    hides ${it.value} from ${it.source}`).join('')
  const text = `${key} is ${value} from ${source}${weaker}`
  console.log(`  ${text}`)
  return text
}

/**
 * Runs what must be refused and gives the message.
 * @param {() => unknown} action
 * @param {import('@timetick/paramtable').ParamErrorCode} code
 */
function refused(action, code) {
  try {
    action()
  } catch (error) {
    if (!isParamError(error, code)) throw error
    console.log(`  refused: ${error.message}`)
    return error.message
  }
  assert.fail(`expected ${code}`)
}

console.log('Before the file:')
explain('http.port')

await params.loadYaml('shop.yaml')
console.log('After the file; the environment is stronger:')
assert.match(explain('http.port'), /^http.port is 8080 from environment variable SHOP_HTTP_PORT\n +hides 8000 from shop.yaml:3:3\n +hides 80 from default$/)

console.log('After a change at run time:')
/** @type {string[]} */
const changes = []
const unwatch = params.watch({ prefix: 'http.' }, (batch) => void changes.push(JSON.stringify(batch)))
params.save('http.port', '9000')
assert.match(explain('http.port'), /is 9000 from save\(\)\n +hides 8080 .*\n +hides 8000 .*\n +hides 80 /)
assert.equal(changes.length, 1)
unwatch()

console.log('Typed, and secrets masked:')
console.log(`  port ${params.getInt('http.port')}, cache of ${params.getBytes('cache.size')} bytes for ${params.getDurationMs('cache.ttl')} ms`)
assert.deepEqual([params.getInt('http.port'), params.getBytes('cache.size'), params.getDurationMs('cache.ttl')], [9000, 67_108_864, 90_000])
assert.doesNotMatch(explain('database.password'), /hunter2/)
assert.equal(params.getString('database.password'), 'hunter2')

console.log('What does not fit:')
assert.match(refused(() => params.save('http.port', '80a80'), 'PARAM_INVALID'), /http\.port.*80a80/)
assert.match(refused(() => params.save('http.prot', '80'), 'PARAM_UNKNOWN'), /http\.port/)
assert.match(refused(() => params.loadYamlText('cache:\n  ttl: soon\n  size: 1g', 'broken.yaml'), 'PARAM_INVALID'), /broken\.yaml:2/)
assert.equal(params.getBytes('cache.size'), 67_108_864, 'a file with one bad value changes nothing')
assert.equal(params.getInt('http.port'), 9000)

const loose = createGlobalParamsTable() // nothing is declared: the getter that reads a value judges it
loose.save('retries', 'three')
assert.match(refused(() => loose.getInt('retries'), 'PARAM_INVALID'), /whole number.*three/)

loose.close()
params.close()
console.log('ok')
