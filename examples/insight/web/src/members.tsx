/** Who is there, how they are, and what they do: nodes, watchdogs, clients with their staged work, tasks, log channels, slow calls. */
import { Age } from './age.tsx'
import type { Row } from './api.ts'
import { at, bytes, count } from './format.ts'
import { Part, type PartColumn } from './part.tsx'
import { small } from './store.ts'

const since = (path: string, title: string): PartColumn => ({ path, title, show: (value) => (typeof value === 'number' ? <Age since={value} /> : '–'), isNumber: true })
const number = (path: string, title: string): PartColumn => ({ path, title, show: count, isNumber: true })
const size = (path: string, title: string): PartColumn => ({ path, title, show: bytes, isNumber: true })

/** In a cluster clients, tasks and calls are those of the proxy that serves the page. */
const proxyOf = (rows: readonly Row[]): readonly PartColumn[] => (rows.some((row) => row['proxy'] !== undefined) ? ['proxy'] : [])

export function Members() {
  const of = (kind: string): Row[] => [...(small.value.get(kind) ?? [])].map(([key, row]) => ({ key, ...row }))
  const clients = of('client')
  const nodes = of('node')
  const streams = of('stream')
  const tasks = of('task')
  const slow = of('slowRequest')
  const newest = (rows: Row[], path: string): Row[] => rows.toSorted((a, b) => Number(at(b, path) ?? 0) - Number(at(a, path) ?? 0))
  return (
    <section aria-label="Members">
      <Part title="Nodes" rows={nodes} columns={['name', 'role', 'state', 'address', 'version', since('startedAt', 'up'), ...(nodes.some((row) => row['replicas'] !== undefined) ? ['resourceGroup', number('replicas', 'replicas')] : [])]} />
      <Part title="Time is not well" rows={of('tso').filter((row) => row['anomaly'] !== undefined)} columns={['anomaly.kind', 'anomaly.lastTs', 'anomaly.physicalMs']} />
      <Part title="Watchdogs" rows={of('watchdog')} columns={['name', 'state', 'target', number('restarts', 'restarts')]} />
      <Part title="Staged work" rows={clients.filter((row) => row['staged'] !== undefined)} columns={['identifier', number('staged.rows', 'rows'), number('staged.deletes', 'deletes'), size('staged.bytes', 'size'), since('staged.since', 'waits for a flush since')]} />
      <Part title="Clients" rows={newest(clients, 'lastActive')} columns={['identifier', 'sdk', 'version', 'host', 'user', since('connectedAt', 'connected'), since('lastActive', 'heard'), ...proxyOf(clients)]} />
      <Part title="Tasks" rows={newest(tasks, 'startedAt')} columns={['name', 'state', number('percent', '%'), 'reason', ...proxyOf(tasks)]} />
      <Part title="Log channels" rows={streams} columns={['name', 'state', ...(streams.some((row) => row['owner'] !== undefined) ? ['owner', 'epoch'] : []), { path: 'readers', title: 'readers', show: (value) => (Array.isArray(value) ? value.join(', ') : '–') }]} />
      <Part title="Slow calls" rows={newest(slow, 'ts')} columns={['method', { path: 'durMs', title: 'ms', show: (value) => (typeof value === 'number' ? String(Math.round(value)) : '–'), isNumber: true }, 'db', 'coll', 'user', since('ts', 'ago'), ...proxyOf(slow)]} />
    </section>
  )
}
