/** What is said when the node serves: for people in a few lines, for machines in one. */
import type { MiniMilvus } from '../node/start.ts'
import { storeChoices } from '../node/store-parameters.ts'
import { END } from './settings.ts'

/** Stores that no other process sees. */
const OWN: ReadonlySet<string> = new Set(['lmdb', 'file', 'local', 'memory'])

export interface ReadyFacts {
  readonly version: string
  readonly elapsedMs: number
  readonly address: string
  readonly metricsAddress: string | undefined
  /** The page of insight, where it is served. */
  readonly page: string | undefined
  readonly dataDir: string | undefined
  /** Where metadata, log and objects lie, such as `etcd, kafka, shared as by-dev`; undefined when all of it is in the folder or in memory. */
  readonly stores: string | undefined
  /** Of a process that is one of several; `address` is then a proxy's, else where other processes reach it. */
  readonly cluster?: { readonly roles: readonly string[]; readonly nodeId: string; readonly internalAddress: string } | undefined
  readonly collections: number
  /** Of their segments. */
  readonly bytes: number
  readonly settings: readonly { readonly key: string; readonly value: string; readonly source: string }[]
}

export function readyFacts(node: MiniMilvus, version: string, elapsedMs: number): ReadyFacts {
  return {
    version,
    elapsedMs: Math.round(elapsedMs),
    address: node.address,
    metricsAddress: node.metricsAddress,
    page: node.metricsAddress !== undefined && node.cluster === undefined && node.parameters.getBool('insight.enabled') ? `http://${node.metricsAddress}/webui/` : undefined,
    dataDir: node.dataDir,
    stores: storesText(node),
    ...(node.cluster === undefined ? {} : { cluster: { ...node.cluster, nodeId: String(node.cluster.nodeId) } }),
    collections: node.catalog.collections().length,
    bytes: node.catalog.collections().reduce((sum, { id }) => sum + node.catalog.segments(id).reduce((own, { bytes }) => own + bytes, 0), 0),
    settings: changedSettings(node),
  }
}

export function readyText(facts: ReadyFacts, color: boolean): string {
  const bold = (text: string): string => (color ? `\u001b[1m${text}\u001b[22m` : text)
  const count = `${facts.collections} ${facts.collections === 1 ? 'collection' : 'collections'}, ${(facts.bytes / 1e6).toFixed(1)} MB`
  const changed = facts.settings.map(({ key, value, source }) => `${key}=${value} (${source})`).join(', ')
  const isProxy = facts.cluster === undefined || facts.cluster.roles.includes('proxy')
  return [
    `${bold('mini-milvus')} ${facts.version} ready in ${facts.elapsedMs} ms`,
    isProxy ? `  gRPC, REST  ${bold(`http://${facts.address}`)}` : undefined,
    facts.cluster === undefined ? undefined : `  roles       ${facts.cluster.roles.join(', ')}; node ${facts.cluster.nodeId} at ${facts.cluster.internalAddress}`,
    facts.metricsAddress === undefined ? undefined : `  health      http://${facts.metricsAddress}/healthz`,
    facts.page === undefined ? undefined : `  page        ${facts.page}`,
    facts.stores === undefined ? undefined : `  stores      ${facts.stores} (${count})`,
    facts.stores !== undefined && facts.dataDir === undefined ? undefined : `  data        ${facts.dataDir ?? 'in memory, gone when the process ends'}${facts.dataDir === undefined ? '' : ` (${count})`}`,
    changed === '' ? undefined : `  settings    ${changed}`,
    isProxy ? `  try         curl -X POST http://${facts.address}/v2/vectordb/collections/list -d '{}'` : undefined,
    `  stop        Ctrl-C`,
  ]
    .filter((line) => line !== undefined)
    .join('\n')
}

function storesText({ parameters }: MiniMilvus): string | undefined {
  const { metastore, log, storage, clusterName } = storeChoices(parameters)
  const types = [metastore, log, storage]
  return types.every((type) => OWN.has(type)) ? undefined : `${types.join(', ')} as ${clusterName}`
}

function changedSettings({ parameters }: MiniMilvus): { key: string; value: string; source: string }[] {
  return parameters.loadRange('', END).keys.flatMap((key) => {
    const { value, layer, source, declaration } = parameters.explain(key)
    return value === undefined || layer === 'default' ? [] : [{ key: declaration?.key ?? key, value, source: source ?? String(layer) }]
  })
}
