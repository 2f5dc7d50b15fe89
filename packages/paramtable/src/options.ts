/** What a table is made of. */
import type { ParamDeclaration } from './declaration.ts'
import type { EnvironmentOptions } from './environment.ts'
import type { LayerKind } from './layers.ts'

export interface GlobalParamsTableOptions {
  readonly declarations?: readonly ParamDeclaration[] | undefined
  /** Refuse keys that are not declared, with the nearest name. Default false. */
  readonly strict?: boolean | undefined
  readonly env?: EnvironmentOptions | undefined
  /** Most keys in a layer. Default 100,000. */
  readonly maxKeys?: number | undefined
  /** What a listener threw. Without it such errors are dropped: a listener must not undo a change. */
  readonly onListenerError?: ((error: unknown) => void) | undefined
}

/** A layer as others give it: command line flags, a cluster-wide store, a file. */
export interface LayerInput {
  readonly kind: Exclude<LayerKind, 'runtime' | 'default' | 'environment'>
  readonly name: string
  /**
   * Texts by key; `source` says where each one is from, else `name` does: a function is asked only when somebody wants to know. `json`: the
   * same as JSON, for a parameter that is declared as `json`.
   */
  readonly entries: Iterable<readonly [key: string, value: string, source?: string | (() => string), json?: string | undefined]>
  /** The keys are names of variables, of which only those with the prefix count, and name parameters as those of the environment do. */
  readonly variables?: { readonly prefix?: string | undefined } | undefined
}
