/** Which cluster, and whether what is shown is true now. */
import { computed } from '@preact/signals'
import { Age } from './age.tsx'
import { age } from './format.ts'
import { cluster, clusterId, clusters, link, small, time } from './store.ts'

const badge = computed((): { readonly state: string; readonly label: string } => {
  const known = cluster.value
  if (link.value === 'lost') return { state: 'offline', label: 'Offline, retrying' }
  if (link.value === 'connecting') return { state: 'connecting', label: known === undefined ? 'Connecting' : 'Resuming' }
  if (link.value === 'refused') return { state: 'offline', label: 'Not logged in' }
  if (known === undefined) return { state: 'connecting', label: 'No cluster' }
  if (known.state === 'live') return { state: 'live', label: 'Live' }
  if (known.state === 'stale') return { state: 'stale', label: known.asOf === null ? 'Stale' : `Stale ${age(time.value - known.asOf)}` }
  return { state: 'connecting', label: known.state }
})

/** For ears: changes of state alone, not each second of age. */
const said = computed(() => {
  if (link.value === 'lost') return 'Connection lost, retrying'
  if (link.value === 'refused') return 'Not logged in'
  const state = cluster.value?.state
  return link.value !== 'open' || state === undefined ? '' : state === 'live' ? 'Live' : `The cluster is ${state}`
})

export function Strip() {
  const known = cluster.value
  const server = [...(small.value.get('node')?.values() ?? [])].find(({ version }) => typeof version === 'string')
  const expected = [...(small.value.get('node')?.values() ?? [])].find((row) => typeof row['expected'] === 'number')
  return (
    <header class="strip">
      <h1>insight</h1>
      <label>
        <span class="hidden">Cluster</span>
        <select value={clusterId.value} onChange={(event) => (clusterId.value = event.currentTarget.value)}>
          {clusters.value.map(({ id, address }) => (
            <option key={id} value={id}>
              {id} · {address}
            </option>
          ))}
        </select>
      </label>
      <span class="badge" data-state={badge.value.state} title={known?.error ?? ''}>
        {badge.value.label}
      </span>
      <span class="hidden" role="status">
        {said.value}
      </span>
      {typeof known?.error === 'string' && <span class="why">{known.error}</span>}
      <span class="facts">
        {server !== undefined && <span>version {String(server['version'])}</span>}
        {typeof server?.['startedAt'] === 'number' && <span>up <Age since={server['startedAt']} /></span>}
        {expected !== undefined && (
          <span title="query nodes that live, of those that are wanted">
            query nodes {String(expected['living'])} of {String(expected['expected'])}
          </span>
        )}
        {known !== undefined && <span title="number of the last event">event {known.seq}</span>}
        <span>
          keys: <kbd>?</kbd>
        </span>
      </span>
    </header>
  )
}
