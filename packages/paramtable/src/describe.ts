/** The declared parameters as documents: a reference, an example file, a schema for editors. */
import { compareKeys } from './check.ts'
import type { Declared } from './declaration.ts'
import { describeMarkdown } from './describe-markdown.ts'
import { describeSchema } from './describe-schema.ts'
import type { JsonSchema } from './describe-schema.ts'
import { describeYaml } from './describe-yaml.ts'

export type { JsonSchema } from './describe-schema.ts'

export interface Description {
  /** A table of all parameters. */
  readonly markdown: string
  /** A file that sets every parameter to its default; one without a default, or a secret, is a comment. */
  readonly yaml: string
  /** Of a YAML, JSON or TOML file, for editors and CI: draft 2020-12. Knows the spelling of the declarations and the plain form of each type. */
  readonly jsonSchema: JsonSchema
}

export function describe(all: readonly Declared[], strict: boolean): Description {
  const sorted = [...all].sort((a, b) => compareKeys(a.id, b.id))
  return { markdown: describeMarkdown(sorted), yaml: describeYaml(sorted), jsonSchema: describeSchema(sorted, strict) }
}
