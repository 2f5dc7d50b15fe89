/** What is known of a thing, by member. */
export interface Row {
  readonly [field: string]: unknown
}
