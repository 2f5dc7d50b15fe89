import type { Arbitrary } from 'fast-check'

/** Bytes near those of the corpus, and noise now and then. */
export function bytesNear(corpus: readonly Uint8Array[]): Arbitrary<Uint8Array>

/** Text near that of the corpus, made of `pieces` too. */
export function textNear(corpus: readonly string[], pieces?: readonly string[]): Arbitrary<string>

/** Fails on an error that `isMeant` does not know, on a hang, and on a changed `Object.prototype`. */
export function fuzz<T>(input: Arbitrary<T>, target: (value: T) => unknown, isMeant: (error: unknown) => boolean, numRuns: number): Promise<void>
