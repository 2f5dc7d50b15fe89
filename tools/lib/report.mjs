/** What passed, what failed, and what could not be tested. The last line is for machines: `N passed, N failed`. */
const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`
const tail = (text, lines) => text.trimEnd().split('\n').slice(-lines).map((line) => `    ${line}`).join('\n')

export class Report {
  passed = 0
  failed = 0
  #failures = []
  #untested = []
  #print

  constructor(print = console.log) {
    this.#print = print
  }

  /** One suite's outcome. `failures` names what failed; `output` is shown then. */
  suite(title, { passed = 0, failed = 0, failures = [], untested = [], ms = 0, output = '' }) {
    const isEmpty = passed === 0 && failed === 0 && untested.length === 0
    const count = isEmpty ? 1 : failed
    this.passed += passed
    this.failed += count
    const what = isEmpty ? 'ran no test' : `${passed} passed${failed > 0 ? `, ${failed} failed` : ''}`
    this.#print(`${count > 0 ? 'FAIL' : 'ok  '}  ${title.padEnd(44)} ${what} (${seconds(ms)})`)
    for (const reason of untested) this.untested(`${title}: ${reason}`)
    if (count === 0) return
    if (output !== '') this.#print(tail(output, 120))
    this.#failures.push(...(failures.length > 0 ? failures : [what]).map((name) => `${title}: ${name}`))
  }

  /** One check that is a single pass or failure. */
  check(title, { ok, ms = 0, output = '', failures = ['failed'] }) {
    this.suite(title, { passed: ok ? 1 : 0, failed: ok ? 0 : 1, ms, output: ok ? '' : output, failures: ok ? [] : failures })
  }

  untested(reason) {
    if (!this.#untested.includes(reason)) this.#untested.push(reason)
  }

  /** Prints the end; gives the exit code. */
  finish() {
    if (this.#failures.length > 0) this.#print(`\nFailed:\n${this.#failures.map((line) => `  ${line}`).join('\n')}`)
    if (this.#untested.length > 0) this.#print(`\nNot tested:\n${this.#untested.map((line) => `  ${line}`).join('\n')}`)
    if (this.passed + this.failed === 0) this.failed = 1
    this.#print(`\n${this.passed} passed, ${this.failed} failed`)
    return this.failed > 0 ? 1 : 0
  }
}
