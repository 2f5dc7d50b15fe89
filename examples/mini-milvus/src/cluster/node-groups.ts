/** Which resource group each query node is in, followed in the store: whoever changes the groups, the coordinator that leads sees it. */
import type { NodeClock } from '../edge/system.ts'
import { decodeMeta } from '../model/meta.ts'
import { DEFAULT_RESOURCE_GROUP, type ResourceGroupMeta } from '../model/resource-group.ts'
import { FollowedPrefix, type FollowedStore } from './followed-prefix.ts'

export interface NodeGroupsOptions {
  readonly kv: FollowedStore
  readonly clock: Pick<NodeClock, 'setTimer'>
  readonly onChange: () => void
  readonly onProblem: (error: unknown) => void
}

const PREFIX = 'resource-groups/group/'

export class NodeGroups {
  readonly #groups = new Map<string, ResourceGroupMeta>()
  #byNode: ReadonlyMap<bigint, string> = new Map()
  #followed: FollowedPrefix | undefined

  private constructor() {}

  static async open({ kv, clock, onChange, onProblem }: NodeGroupsOptions): Promise<NodeGroups> {
    const groups = new NodeGroups()
    groups.#followed = await FollowedPrefix.open({
      kv, clock, prefix: PREFIX, onProblem,
      onEvents: (events) => {
        for (const { key, value } of events) {
          if (value === undefined) groups.#groups.delete(key)
          else groups.#groups.set(key, decodeMeta(value))
        }
        groups.#byNode = new Map([...groups.#groups.values()].flatMap(({ name, nodeIds }) => (name === DEFAULT_RESOURCE_GROUP ? [] : nodeIds.map((id) => [id, name] as const))))
        onChange()
      },
    })
    return groups
  }

  groupOf(nodeId: bigint): string {
    return this.#byNode.get(nodeId) ?? DEFAULT_RESOURCE_GROUP
  }

  async close(): Promise<void> {
    await this.#followed?.close()
  }
}
