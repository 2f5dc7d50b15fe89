/** A word of a text, as its analyzer sees it. */
export interface Token {
  readonly text: string
  /** UTF-16 units of the text that it came from: [start, end). */
  readonly start: number
  readonly end: number
  /** What phrases count by: words that a filter takes away leave their places empty. */
  readonly position: number
  readonly positionLength: number
}

export type Tokenizer = (text: string) => Token[]
export type TokenFilter = (tokens: Token[]) => Token[]

/** Made of analyzer parameters once, kept by their text. */
export interface Analyzer {
  analyze(text: string): readonly Token[]
}
