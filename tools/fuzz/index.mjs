/**
 * Input that nobody meant: valid input with a few bytes or characters changed, cut, repeated or put in between, and noise. What reads it
 * gives a result or an error that was meant for such input, soon, and leaves no trace. fast-check prints the seed and shrinks.
 */
import fc from 'fast-check'

/** Far above what any input here may take on a busy machine: a hang is what is looked for. */
const HANG_MS = 5000

const edits = fc.array(fc.record({ at: fc.nat(), kind: fc.nat(4), length: fc.nat(20), noise: fc.integer({ min: 0, max: 255 }) }), { minLength: 1, maxLength: 5 })

/** @param {ArrayLike<T>} units what the input is made of @template T @returns {T[]} */
function edited(units, changes, noiseOf) {
  let made = Array.from(units)
  for (const { at: where, kind, length, noise } of changes) {
    const at = where % (made.length + 1)
    if (kind === 0 && at < made.length) made[at] = noiseOf(noise)
    else if (kind === 1) made = made.slice(0, at)
    else if (kind === 2) made.splice(at, 0, ...made.slice(at, at + length))
    else if (kind === 3) made.splice(at, length)
    else made.splice(at, 0, noiseOf(noise))
  }
  return made
}

/** Bytes near those of the corpus, and noise now and then. */
export function bytesNear(corpus) {
  const near = fc.tuple(fc.constantFrom(...corpus), edits).map(([valid, changes]) => Uint8Array.from(edited(valid, changes, (noise) => noise)))
  return fc.oneof({ weight: 9, arbitrary: near }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) })
}

/** Text near that of the corpus, made of its pieces too, with lone surrogates and control characters. */
export function textNear(corpus, pieces = []) {
  const strange = ['\u0000', '\ud800', '\udfff', '\ufeff', '\u2028', '"', '\\', '{', '[', '}', ']', ':', ',', '-', '#', '\n', '\r\n', '\t', '__proto__', 'constructor', '1e999', '9'.repeat(30), '😀', ...pieces]
  const near = fc.tuple(fc.constantFrom(...corpus), edits).map(([valid, changes]) => edited(valid, changes, (noise) => strange[noise % strange.length]).join(''))
  const joined = fc.array(fc.constantFrom(...strange), { maxLength: 14 }).map((parts) => parts.join(''))
  return fc.oneof({ weight: 8, arbitrary: near }, { weight: 2, arbitrary: joined })
}

/** Fails on an error that `isMeant` does not know, on a hang, and on a changed `Object.prototype`. */
export async function fuzz(input, target, isMeant, numRuns) {
  const before = Object.getOwnPropertyNames(Object.prototype).join()
  await fc.assert(
    fc.asyncProperty(input, async (value) => {
      const since = performance.now()
      try {
        await target(value)
      } catch (error) {
        if (!isMeant(error)) throw new Error('an error that is not meant for bad input', { cause: error })
      }
      const ms = performance.now() - since
      if (ms > HANG_MS) throw new Error(`took ${ms} ms`)
      if (Object.getOwnPropertyNames(Object.prototype).join() !== before) throw new Error('Object.prototype is another one now')
    }),
    { numRuns },
  )
}
