/** Resource groups: named sets of query nodes, with what each asks for and may have. */
export interface ResourceGroupConfig {
  /** Nodes that the group wants. */
  readonly requested: number
  /** Nodes that it may have at most. */
  readonly limit: number
  readonly transferFrom: readonly string[]
  readonly transferTo: readonly string[]
  readonly nodeLabels: Readonly<Record<string, string>>
}

export interface ResourceGroupMeta {
  readonly name: string
  readonly config: ResourceGroupConfig
  /** Query nodes that were moved here; every other node is in the default group. */
  readonly nodeIds: readonly bigint[]
}

/** Has every node that no other group has. */
export const DEFAULT_RESOURCE_GROUP = '__default_resource_group'

/** merr's number of a group that has too few nodes for what is asked. */
export const NODES_NOT_ENOUGH = 304
