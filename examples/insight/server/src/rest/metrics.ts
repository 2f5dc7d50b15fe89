/** The server itself in Prometheus' text format: how its clusters are, how many look, how much it keeps. */
import type { Clusters } from '../core/clusters.ts'
import { KINDS, type Clock } from '../core/model.ts'

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number]

export function metricsText({ clusters, clients, clock }: { readonly clusters: Clusters; readonly clients: number; readonly clock: Clock }): string {
  const all = [...clusters].map((cluster) => ({ cluster, status: cluster.status() }))
  const of = (value: (one: (typeof all)[number]) => number | undefined): Sample[] => all.flatMap((one) => valued({ cluster: one.cluster.id }, value(one)))
  return [
    family('insight_clients', 'Clients of the websocket.', [[{}, clients]]),
    family('insight_cluster_up', '1 while the cluster answers.', of(({ status }) => (status.state === 'live' ? 1 : 0))),
    family('insight_cluster_age_seconds', 'Since the cluster was heard last.', of(({ status: { asOf } }) => (asOf === null ? undefined : Math.max(0, (clock.now() - asOf) / 1000)))),
    family('insight_events_total', 'Number of the last event.', of(({ status }) => status.seq), 'counter'),
    family('insight_ring_events', 'Events that a client who comes back can still get.', of(({ cluster }) => cluster.layer?.ringDepth)),
    family('insight_rows', 'Rows in the cache.', all.flatMap(({ cluster }) => KINDS.flatMap((kind) => valued({ cluster: cluster.id, kind }, cluster.layer?.count(kind))))),
  ].join('')
}

const valued = (labels: Sample[0], value: number | undefined): Sample[] => (value === undefined ? [] : [[labels, value]])

function family(name: string, help: string, samples: readonly Sample[], type = 'gauge'): string {
  const lines = samples.map(([labels, value]) => {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${text.replace(/[\\"\n]/g, '_')}"`)
    return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`
  })
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`
}
