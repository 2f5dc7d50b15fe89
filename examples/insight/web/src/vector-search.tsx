/** Nearest rows to a vector that is pasted, or to the one of a row. */
import { useSignal } from '@preact/signals'
import { call, type Row } from './api.ts'
import { Part, Value, type PartColumn } from './part.tsx'
import { at } from './format.ts'
import { cluster, clusterId } from './store.ts'

export function VectorSearch({ collection, fields }: { readonly collection: Row; readonly fields: readonly Row[] }) {
  const vector = useSignal('')
  const filter = useSignal('')
  const found = useSignal<readonly Row[] | undefined>(undefined)
  const failure = useSignal('')
  const vectors = fields.filter(({ type }) => String(type).endsWith('Vector'))
  const field = useSignal(String(vectors[0]?.['name'] ?? ''))
  if (cluster.value?.canSearch !== true || vectors.length === 0) return null
  if (at(collection, 'load.state') !== 'loaded') return <p class="empty">To search here, create an index and load the collection.</p>
  const pk = String(fields.find((one) => one['pk'] === true)?.['name'] ?? 'id')
  const search = (event?: Event): void => {
    event?.preventDefault()
    failure.value = ''
    const text = vector.value.trim()
    let value: unknown = text
    if (text.startsWith('[')) {
      try {
        value = JSON.parse(text)
      } catch {
        failure.value = 'expected a list of numbers like [0.1, 0.2], or the key of a row'
        return
      }
    }
    call<{ rows: readonly Row[] }>(`/clusters/${encodeURIComponent(clusterId.value)}/vector-search`, { db: collection['db'], collection: collection['name'], field: field.value, vector: value, filter: filter.value, limit: 10 }).then(
      ({ rows }) => (found.value = rows),
      (error: Error) => (failure.value = error.message),
    )
  }
  const similar = {
    path: pk,
    title: 'more',
    show: (value: unknown, row: Row) => {
      const key = row['$key'] ?? value
      return key === undefined ? null : (
        <button
          type="button"
          onClick={() => {
            vector.value = String(key)
            search()
          }}
        >
          similar
        </button>
      )
    },
  }
  return (
    <form class="vector" onSubmit={search}>
      <label>
        Vector, or key of a row
        <textarea rows={2} required placeholder={`[…${String(vectors.find(({ name }) => name === field.value)?.['dim'] ?? '')} numbers…]`} value={vector.value} onInput={(event) => (vector.value = event.currentTarget.value)} />
      </label>
      {vectors.length > 1 && (
        <label>
          Field
          <select value={field.value} onChange={(event) => (field.value = event.currentTarget.value)}>
            {vectors.map(({ name }) => (
              <option key={String(name)}>{String(name)}</option>
            ))}
          </select>
        </label>
      )}
      <label>
        Filter
        <input value={filter.value} placeholder="price < 10" onInput={(event) => (filter.value = event.currentTarget.value)} />
      </label>
      <button>Search</button>
      {failure.value !== '' && <p class="failure">{failure.value}</p>}
      {found.value?.length === 0 && <p class="empty">Nothing is near.</p>}
      <Part title="Nearest" rows={found.value ?? []} columns={[...columnsOf(found.value ?? []), similar]} />
    </form>
  )
}

/** Of all rows: one may have dynamic fields that another has not. Names are no paths: a dynamic field may have a dot in its name. */
function columnsOf(rows: readonly Row[]): readonly PartColumn[] {
  const names = new Set(rows.flatMap((row) => Object.keys(row)))
  names.delete('$key')
  return [...names].map((name) => ({ path: name, title: name, show: (_value, row) => <Value value={row[name]} /> }))
}
