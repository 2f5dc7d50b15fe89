/** Gauges whose values are read when somebody asks. */
import { Gauge, type Registry } from 'prom-client'
import { version } from '../../version.ts'

export interface Sample {
  readonly labels?: Readonly<Record<string, string>> | undefined
  readonly value: number
}

export interface GaugeSink {
  readonly nodeId: string
  readonly one: (name: string, help: string, read: () => number) => void
  /** With the label `node_id`. */
  readonly ofNode: (name: string, help: string, read: () => number) => void
  readonly many: (name: string, help: string, labelNames: readonly string[], read: () => readonly Sample[]) => void
}

export interface GaugeSinkOptions {
  readonly registry: Registry
  readonly nodeId: string
}

export function createGaugeSink({ registry, nodeId }: GaugeSinkOptions): GaugeSink {
  const many: GaugeSink['many'] = (name, help, labelNames, read) => {
    new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect() {
        this.reset()
        for (const { labels, value } of read()) this.set(labels ?? {}, value)
      },
    })
  }
  return {
    nodeId,
    many,
    one: (name, help, read) => many(name, help, [], () => [{ value: read() }]),
    ofNode: (name, help, read) => many(name, help, ['node_id'], () => [{ labels: { node_id: nodeId }, value: read() }]),
  }
}

export interface ProcessGaugeOptions {
  /** Names of Milvus. */
  readonly roles: readonly string[]
  /** Milvus's dashboard finds its nodes by `go_info`, which a node in JavaScript has not. */
  readonly compat: boolean
}

export function processGauges({ many, nodeId }: GaugeSink, { roles, compat }: ProcessGaugeOptions): void {
  if (compat) many('go_info', 'Stands in for Go, so that dashboards find this node.', ['version'], () => [{ labels: { version: `none, Node ${process.version}` }, value: 1 }])
  many('milvus_build_info', 'Version.', ['version', 'built', 'git_commit'], () => [{ labels: { version, built: '', git_commit: '' }, value: 1 }])
  many('milvus_num_node', 'Nodes by role.', ['node_id', 'role_name'], () => roles.map((role_name) => ({ labels: { node_id: nodeId, role_name }, value: 1 })))
}
