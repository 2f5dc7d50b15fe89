/** Reading the JSON of analyzer parameters, with Milvus's words for what does not fit. */
import { invalid } from '../server/status.ts'

export type Params = Readonly<Record<string, unknown>>

export function paramsOf(value: unknown): Params | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
}

/** @param what as the message begins, such as `filter stop_words` */
export function wordsOf(value: unknown, what: string): readonly string[] {
  if (!Array.isArray(value)) throw invalid(`${what} should be array`)
  return value.map((item: unknown) => {
    if (typeof item !== 'string') throw invalid(`${what} item should be string`)
    return item
  })
}
