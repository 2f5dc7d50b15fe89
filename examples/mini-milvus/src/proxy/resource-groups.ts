/** Resource groups as RPC handlers: configurations are kept, and what is said of nodes and replicas is what is. */
import type { MetaReader } from '../coordinator/api.ts'
import type { Placement } from '../node/query-role.ts'
import type { ResourceGroups } from '../coordinator/resource-groups.ts'
import { DEFAULT_RESOURCE_GROUP, NODES_NOT_ENOUGH, type ResourceGroupConfig } from '../model/resource-group.ts'
import type { AnyHandler, HandlerTable, WireHandlers } from '../server/handlers.ts'
import { Code, invalid, MilvusError, success } from '../server/status.ts'
import type { Init, ResourceGroup, ResourceGroupConfig as WireConfig } from '../wire/index.ts'
import { ddl } from './ddl-context.ts'
import { checkName, toPairs, toRecord } from './rpc-values.ts'

export interface ResourceGroupHandlersOptions {
  readonly groups: ResourceGroups
  readonly meta: MetaReader
  /** `host:port` that query nodes are reached at. */
  readonly address: () => string
  /** Where there are several query nodes. */
  readonly placement: Placement | undefined
}

export function createResourceGroupHandlers(options: ResourceGroupHandlersOptions): WireHandlers {
  const { groups, meta, placement } = options
  /** Nodes that a group's replicas need: one for each of the collection that has the most. */
  const needed = (group: string): number => Math.max(0, ...meta.collections().map(({ id }) => replicasIn(options, id, group)))
  return {
    CreateResourceGroup: ddl(async ({ resource_group: name, config }) => {
      checkName('resource group name', name)
      await groups.create(name, fromWire(config))
      return success()
    }),
    DropResourceGroup: ddl(async ({ resource_group: name }) => {
      checkName('resource group name', name)
      await groups.drop(name)
      return success()
    }),
    UpdateResourceGroups: ddl(async ({ resource_groups: configs }) => {
      const given = Object.entries(configs)
      if (given.length === 0) throw invalid('resource group configs are empty')
      await groups.update(new Map(given.map(([name, config]) => [name, fromWire(config)])))
      return success()
    }),
    ListResourceGroups: ddl(async () => ({ resource_groups: groups.names() })),
    DescribeResourceGroup: ddl(async ({ resource_group: name }) => ({ resource_group: described(options, name) })),
    TransferNode: ddl(async ({ source_resource_group: source, target_resource_group: target, num_node: count }) => {
      await groups.transferNodes(source, target, count, () => needed(source))
      return success()
    }),
    TransferReplica: ddl(async (request, call) => {
      const { source_resource_group: source, target_resource_group: target, collection_name: name, num_replica: count } = request
      groups.get(source)
      groups.get(target)
      if (source === target) throw invalid('source resource group and target resource group should not be the same')
      if (count < 1n) throw invalid(`transfer replica num can't be [${count}]`)
      const collection = meta.collection(call.dbName, name)
      const held = replicasIn(options, collection.id, source)
      if (count > BigInt(held)) throw invalid(`only found [${held}] replicas of collection [${name}] in source resource group [${source}]`)
      if (placement === undefined) throw new MilvusError(Code.Unexpected, `resource group ${target} cannot take a replica: this node serves all collections from ${DEFAULT_RESOURCE_GROUP}`)
      const wanted = replicasIn(options, collection.id, target) + Number(count)
      checkNodes(groups, target, wanted)
      await placement.transferReplicas(collection.id, source, target, Number(count))
      return success()
    }),
  }
}

function replicasIn({ meta, placement }: Pick<ResourceGroupHandlersOptions, 'meta' | 'placement'>, collectionId: bigint, group: string): number {
  if (placement !== undefined) return placement.replicas(collectionId).filter(({ resourceGroup }) => resourceGroup === group).length
  return group === DEFAULT_RESOURCE_GROUP ? (meta.load(collectionId)?.replicaNumber ?? 0) : 0
}

function checkNodes(groups: Pick<ResourceGroups, 'get'>, name: string, expected: number): void {
  const { nodeIds } = groups.get(name)
  if (nodeIds.length < expected) throw new MilvusError(NODES_NOT_ENOUGH, `resource group node not enough[rg=${name}][currentNode=${nodeIds.length}][expectedNode=${expected}]`)
}

/** A group needs a node for each replica that is loaded into it. With one query node that is the default group alone. */
export function checkLoads(handlers: HandlerTable, groups: Pick<ResourceGroups, 'get'>, placement: Placement | undefined): HandlerTable {
  const check = ({ resource_groups: names, replica_number: asked }: { readonly resource_groups: readonly string[]; readonly replica_number: number }): void => {
    const replicas = Math.max(1, asked)
    if (names.length > 1 && names.length !== replicas) throw invalid(`resource groups must be one, or as many as replicas, got ${names.length} for ${replicas} replicas`)
    if (placement !== undefined) {
      for (const name of new Set(names)) checkNodes(groups, name, names.length === 1 ? replicas : names.filter((other) => other === name).length)
      if (names.length === 0) checkNodes(groups, DEFAULT_RESOURCE_GROUP, replicas)
      return
    }
    for (const name of names) {
      groups.get(name)
      if (name !== DEFAULT_RESOURCE_GROUP) throw new MilvusError(NODES_NOT_ENOUGH, `resource group node not enough[rg=${name}]: this node serves all collections from ${DEFAULT_RESOURCE_GROUP}`)
    }
    if (groups.get(DEFAULT_RESOURCE_GROUP).nodeIds.length === 0) throw new MilvusError(NODES_NOT_ENOUGH, `resource group node not enough[rg=${DEFAULT_RESOURCE_GROUP}][currentNode=0][expectedNode=1]`)
  }
  const checked = (handler: AnyHandler | undefined): AnyHandler | undefined => (handler === undefined ? undefined : { ...handler, check })
  return { ...handlers, LoadCollection: checked(handlers.LoadCollection), LoadPartitions: checked(handlers.LoadPartitions) }
}

function described(options: ResourceGroupHandlersOptions, name: string): Init<ResourceGroup> {
  const { groups, meta, address } = options
  const { config, nodeIds } = groups.get(name)
  const loaded = meta.collections().flatMap(({ id, schema }) => {
    const count = replicasIn(options, id, name)
    return count === 0 ? [] : [[schema.name, count] as const]
  })
  const [hostname = ''] = address().split(':')
  return {
    name,
    capacity: name === DEFAULT_RESOURCE_GROUP ? config.limit : config.requested,
    num_available_node: nodeIds.length,
    num_loaded_replica: Object.fromEntries(loaded),
    num_outgoing_node: {},
    num_incoming_node: {},
    config: toWire(config),
    nodes: nodeIds.map((node_id) => ({ node_id, address: address(), hostname })),
  }
}

function fromWire(config: WireConfig | null): ResourceGroupConfig {
  return {
    requested: config?.requests?.node_num ?? 0,
    limit: config?.limits?.node_num ?? 0,
    transferFrom: (config?.transfer_from ?? []).map((one) => one.resource_group),
    transferTo: (config?.transfer_to ?? []).map((one) => one.resource_group),
    nodeLabels: toRecord(config?.node_filter?.node_labels ?? []),
  }
}

function toWire({ requested, limit, transferFrom, transferTo, nodeLabels }: ResourceGroupConfig): Init<WireConfig> {
  return {
    requests: { node_num: requested },
    limits: { node_num: limit },
    transfer_from: transferFrom.map((resource_group) => ({ resource_group })),
    transfer_to: transferTo.map((resource_group) => ({ resource_group })),
    node_filter: { node_labels: toPairs(nodeLabels) },
  }
}
