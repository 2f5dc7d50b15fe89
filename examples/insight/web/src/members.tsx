/** Nodes, watchdogs and clients: who is there, and how they are. */
import type { Row } from './api.ts'
import { Part } from './part.tsx'
import { small } from './store.ts'

export function Members() {
  const of = (kind: string): Row[] => [...(small.value.get(kind) ?? [])].map(([key, row]) => ({ key, ...row }))
  return (
    <section aria-label="Members">
      <Part title="Nodes" rows={of('node')} columns={['name', 'role', 'state', 'address', 'version']} />
      <Part title="Watchdogs" rows={of('watchdog')} columns={['name', 'state', 'target', 'missed']} />
      <Part title="Clients" rows={of('client')} columns={['identifier', 'sdk', 'host', 'user', 'staged.rows', 'staged.bytes']} />
      <Part title="Tasks" rows={of('task')} columns={['name', 'state', 'percent', 'reason']} />
    </section>
  )
}
