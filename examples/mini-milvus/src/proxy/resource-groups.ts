/** Resource groups as RPC handlers: configurations are kept, and what is said of nodes and replicas is what is. */
import type { MetaReader } from '../coordinator/api.ts'
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
}

export function createResourceGroupHandlers(options: ResourceGroupHandlersOptions): WireHandlers {
  const { groups, meta } = options
  const isLoaded = (): boolean => meta.collections().some(({ id }) => meta.load(id) !== undefined)
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
    /** Every loaded collection is served from the default group, which therefore keeps a node as long as one is loaded. */
    TransferNode: ddl(async ({ source_resource_group: source, target_resource_group: target, num_node: count }) => {
      await groups.transferNodes(source, target, count, () => source === DEFAULT_RESOURCE_GROUP && isLoaded())
      return success()
    }),
    TransferReplica: ddl(async (request, call) => {
      const { source_resource_group: source, target_resource_group: target, collection_name: name, num_replica: count } = request
      groups.get(source)
      groups.get(target)
      if (source === target) throw invalid('source resource group and target resource group should not be the same')
      if (count < 1n) throw invalid(`transfer replica num can't be [${count}]`)
      const collection = meta.collection(call.dbName, name)
      const held = source === DEFAULT_RESOURCE_GROUP ? (meta.load(collection.id)?.replicaNumber ?? 0) : 0
      if (count > BigInt(held)) throw invalid(`only found [${held}] replicas of collection [${name}] in source resource group [${source}]`)
      throw new MilvusError(Code.Unexpected, `resource group ${target} cannot take a replica: this node serves all collections from ${DEFAULT_RESOURCE_GROUP}`)
    }),
  }
}

/** Collections are loaded into the default group alone; another one has no node to serve them. */
export function checkLoads(handlers: HandlerTable, groups: Pick<ResourceGroups, 'get'>): HandlerTable {
  const check = ({ resource_groups: names }: { readonly resource_groups: readonly string[] }): void => {
    for (const name of names) {
      groups.get(name)
      if (name !== DEFAULT_RESOURCE_GROUP) throw new MilvusError(NODES_NOT_ENOUGH, `resource group node not enough[rg=${name}]: this node serves all collections from ${DEFAULT_RESOURCE_GROUP}`)
    }
    if (groups.get(DEFAULT_RESOURCE_GROUP).nodeIds.length === 0) throw new MilvusError(NODES_NOT_ENOUGH, `resource group node not enough[rg=${DEFAULT_RESOURCE_GROUP}][currentNode=0][expectedNode=1]`)
  }
  const checked = (handler: AnyHandler | undefined): AnyHandler | undefined => (handler === undefined ? undefined : { ...handler, check })
  return { ...handlers, LoadCollection: checked(handlers.LoadCollection), LoadPartitions: checked(handlers.LoadPartitions) }
}

function described({ groups, meta, address }: ResourceGroupHandlersOptions, name: string): Init<ResourceGroup> {
  const { config, nodeIds } = groups.get(name)
  const loaded = name === DEFAULT_RESOURCE_GROUP ? meta.collections().flatMap((collection) => {
    const load = meta.load(collection.id)
    return load === undefined ? [] : [[collection.schema.name, load.replicaNumber] as const]
  }) : []
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
