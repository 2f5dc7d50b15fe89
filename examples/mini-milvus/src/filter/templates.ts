/**
 * A value for `{name}` in a filter. Integers are bigints; a number is a float, as a float literal is, even where it is integral, and
 * does not compare with a field of integers.
 */
export type TemplateValue = boolean | bigint | number | string | Uint8Array | readonly TemplateValue[]
