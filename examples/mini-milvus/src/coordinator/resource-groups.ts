/** Resource groups: stored, and which query nodes are in which. */
import type { KVBase } from '@timetick/kv'
import { DEFAULT_RESOURCE_GROUP, NODES_NOT_ENOUGH, type ResourceGroupConfig, type ResourceGroupMeta } from '../model/resource-group.ts'
import { invalid, MilvusError } from '../server/status.ts'
import { openRecordStore, type OpenRecords, type RecordStore } from './record-store.ts'

export interface ResourceGroupsOptions {
  readonly kv: Pick<KVBase, 'loadWithPrefix' | 'multiLoad' | 'multiSaveAndRemove'>
  /** The query nodes that live. */
  readonly nodeIds: () => readonly bigint[]
  readonly rootPath?: string | undefined
  /** Where others change them too. @default of this process alone */
  readonly openRecords?: OpenRecords | undefined
}

/** merr's numbers. */
const NOT_FOUND = 300
const EXISTS = 301
const ILLEGAL_CONFIG = 303
const MAX_GROUPS = 1024

/** Of the group that is always there; as Milvus says it. */
const DEFAULT_CONFIG: ResourceGroupConfig = { requested: 0, limit: 1_000_000, transferFrom: [], transferTo: [], nodeLabels: {} }

interface Kinds {
  readonly group: ResourceGroupMeta
}

export class ResourceGroups {
  readonly #store: RecordStore<Kinds>
  readonly #nodeIds: () => readonly bigint[]

  private constructor(store: RecordStore<Kinds>, nodeIds: () => readonly bigint[]) {
    this.#store = store
    this.#nodeIds = nodeIds
  }

  static async open({ kv, nodeIds, rootPath = 'resource-groups/', openRecords = (what) => openRecordStore({ kv, ...what }) }: ResourceGroupsOptions): Promise<ResourceGroups> {
    return new ResourceGroups(await openRecords<Kinds>({ rootPath, kinds: ['group'] }), nodeIds)
  }

  names(): readonly string[] {
    return [DEFAULT_RESOURCE_GROUP, ...this.#store.all('group').map(({ name }) => name).filter((name) => name !== DEFAULT_RESOURCE_GROUP)]
  }

  /** With the nodes that are in it now. Throws 300. */
  get(name: string): ResourceGroupMeta {
    const stored = this.#store.get('group', name)
    if (name === DEFAULT_RESOURCE_GROUP) {
      const elsewhere = new Set(this.#store.all('group').flatMap(({ name: other, nodeIds }) => (other === name ? [] : nodeIds)))
      return { name, config: stored?.config ?? DEFAULT_CONFIG, nodeIds: this.#nodeIds().filter((id) => !elsewhere.has(id)) }
    }
    if (stored === undefined) throw new MilvusError(NOT_FOUND, `resource group not found[rg=${name.slice(0, 300)}]`)
    const alive = new Set(this.#nodeIds())
    return { ...stored, nodeIds: stored.nodeIds.filter((id) => alive.has(id)) }
  }

  /** The same again is no failure. */
  async create(name: string, config: ResourceGroupConfig): Promise<void> {
    this.#checkConfig(config)
    await this.#store.change(() => {
      const before = name === DEFAULT_RESOURCE_GROUP ? this.get(name) : this.#store.get('group', name)
      if (before !== undefined) {
        if (JSON.stringify(before.config) === JSON.stringify(config)) return []
        throw new MilvusError(EXISTS, `resource group already exist, but create with different config[rg=${name}]`)
      }
      if (this.#store.all('group').length >= MAX_GROUPS) throw new MilvusError(302, `num of resource group reach limit[limit=${MAX_GROUPS}]`)
      return [{ kind: 'group', name, value: { name, config, nodeIds: [] } }]
    })
  }

  /** A missing group is no failure; one that has nodes is. */
  async drop(name: string): Promise<void> {
    if (name === DEFAULT_RESOURCE_GROUP) throw invalid('default resource group is not deletable')
    await this.#store.change(() => {
      if (this.#store.get('group', name) === undefined) return []
      if (this.get(name).nodeIds.length > 0) throw new MilvusError(ILLEGAL_CONFIG, `delete non-empty rg[rg=${name}]`)
      return [{ kind: 'group', name, value: undefined }]
    })
  }

  /** All or none. */
  async update(configs: ReadonlyMap<string, ResourceGroupConfig>): Promise<void> {
    for (const config of configs.values()) this.#checkConfig(config)
    await this.#store.change(() =>
      [...configs].map(([name, config]) => {
        const { nodeIds } = this.get(name)
        return { kind: 'group' as const, name, value: { name, config, nodeIds: name === DEFAULT_RESOURCE_GROUP ? [] : nodeIds } }
      }),
    )
  }

  /** The group that a node is in. */
  groupOf(nodeId: bigint): string {
    return this.#store.all('group').find(({ name, nodeIds }) => name !== DEFAULT_RESOURCE_GROUP && nodeIds.includes(nodeId))?.name ?? DEFAULT_RESOURCE_GROUP
  }

  /** @param needed how many the source must keep, because replicas are loaded there */
  async transferNodes(source: string, target: string, count: number, needed: () => number): Promise<void> {
    if (source === target) throw invalid('source resource group and target resource group should not be the same')
    if (count < 1) throw invalid(`transfer node num can't be [${count}]`)
    await this.#store.change(() => {
      const [from, to] = [this.get(source), this.get(target)]
      const spare = from.nodeIds.length - needed()
      if (spare < count) {
        throw new MilvusError(NODES_NOT_ENOUGH, `resource group node not enough[rg=${source}][currentNode=${from.nodeIds.length}][expectedNode=${count}]`)
      }
      const moved = from.nodeIds.slice(0, count)
      return [from, to].map((group) => {
        const nodeIds = group === from ? from.nodeIds.slice(count) : [...to.nodeIds, ...moved]
        return { kind: 'group' as const, name: group.name, value: { ...group, nodeIds: group.name === DEFAULT_RESOURCE_GROUP ? [] : nodeIds } }
      })
    })
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  #checkConfig({ requested, limit, transferFrom, transferTo }: ResourceGroupConfig): void {
    if (requested < 0 || limit < 0) throw new MilvusError(ILLEGAL_CONFIG, 'node num in `requests` or `limits` should not be negative')
    if (limit < requested) throw new MilvusError(ILLEGAL_CONFIG, `limits node num should not less than requests node num[requests=${requested}][limits=${limit}]`)
    for (const name of [...transferFrom, ...transferTo]) this.get(name)
  }
}
