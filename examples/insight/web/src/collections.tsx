/** The list of collections: searched and sorted by the server, changed in place, never moved under the reader. */
import { useRef } from 'preact/hooks'
import { Age } from './age.tsx'
import type { Listed } from './api.ts'
import { Copy } from './copy.tsx'
import { after } from './edge.ts'
import { Empty } from './empty.tsx'
import { at, count, moment, text } from './format.ts'
import { clusterId, cursors, database, isListed, news, next, order, relist, rows, search, selected, small, sort, state, total } from './store.ts'

const COLUMNS: readonly { readonly path: string; readonly title: string; readonly isNumber?: boolean }[] = [
  { path: 'name', title: 'Name' },
  { path: 'db', title: 'Database' },
  { path: 'id', title: 'Id', isNumber: true },
  { path: 'stats.rows', title: 'Rows ≈', isNumber: true },
  { path: 'load.state', title: 'Load' },
  { path: 'indexState', title: 'Index' },
  { path: 'shards', title: 'Shards', isNumber: true },
  { path: 'createdTs', title: 'Created' },
]
let cancelTyping = (): void => undefined

export function Collections() {
  const from = cursors.value.length * 100
  return (
    <section id="collections" aria-labelledby="collections-title">
      <div class="bar">
        <h2 id="collections-title">Collections</h2>
        <input id="search" type="search" placeholder="Search  /" aria-label="Search collections by name or id" value={search.value} maxLength={256} onInput={(event) => typed(event.currentTarget.value)} />
        <Choice label="Database" value={database.value} values={[...(small.value.get('database')?.values() ?? [])].map(({ name }) => String(name))} choose={(value) => ask(() => (database.value = value))} />
        <Choice label="Load" value={state.value} values={['loaded', 'loading', 'notLoad']} choose={(value) => ask(() => (state.value = value))} />
        {news.value > 0 && (
          <button class="news" onClick={() => ask(() => undefined)}>
            {news.value} new — show
          </button>
        )}
      </div>
      {isListed.value && rows.value.length === 0 ? (
        <Empty isFiltered={search.value !== '' || database.value !== '' || state.value !== ''} />
      ) : (
        <div class="scroll" tabIndex={0}>
          <table aria-busy={!isListed.value}>
            <caption class="hidden">Collections of {clusterId.value}</caption>
            <thead>
              <tr>
                {COLUMNS.map(({ path, title, isNumber = false }) => (
                  <th key={path} scope="col" class={isNumber ? 'number' : ''} {...(sort.value === path ? { 'aria-sort': order.value === 'asc' ? 'ascending' : 'descending' } : {})}>
                    <button onClick={() => sortBy(path)}>{title}</button>
                  </th>
                ))}
                <th scope="col">Seen</th>
              </tr>
            </thead>
            <tbody>
              {rows.value.map((row) => (
                <Line key={row.key} listed={row} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      <nav class="pages" aria-label="Pages">
        <button disabled={cursors.value.length === 0} onClick={() => page(cursors.value.slice(0, -1))}>
          Back
        </button>
        <span>
          {rows.value.length === 0 ? 0 : from + 1}–{from + rows.value.length} of {count(total.value)}
        </span>
        <button disabled={next.value === null} onClick={() => next.value !== null && page([...cursors.value, next.value])}>
          More
        </button>
      </nav>
    </section>
  )
}

function Line({ listed }: { readonly listed: Listed }) {
  const { row, key, observedAt } = listed
  const percent = at(row, 'load.percent')
  // The first sight of a row is no change of it.
  const first = useRef(listed.rev)
  const flash = listed.rev === first.current ? '' : listed.rev % 2 === 0 ? 'even' : 'odd'
  return (
    <tr data-flash={flash}>
      <td>
        <button class="name" onClick={() => (selected.value = String(row['id'] ?? key))}>
          <bdi>{text(row['name'])}</bdi>
        </button>
      </td>
      <td>
        <bdi>{text(row['db'])}</bdi>
      </td>
      <td class="number">
        <Copy value={text(row['id'])} />
      </td>
      <td class="number" title={`${text(at(row, 'stats.rows'))} rows, ${text(at(row, 'stats.growingRows'))} of them growing, as of ${new Date(observedAt).toISOString()}`}>
        {count(at(row, 'stats.rows'))}
      </td>
      <td>
        <span class="state" data-state={text(at(row, 'load.state'))} title={text(at(row, 'load.reason')) === '–' ? '' : text(at(row, 'load.reason'))}>
          {text(at(row, 'load.state'))}
          {typeof percent === 'number' && percent < 100 ? ` ${percent} %` : ''}
        </span>
      </td>
      <td>
        <span class="state" data-state={text(row['indexState'])}>
          {text(row['indexState'])}
        </span>
      </td>
      <td class="number">{text(row['shards'])}</td>
      <td>{moment(row['createdTs'])}</td>
      <td title={new Date(observedAt).toISOString()}>
        <Age since={observedAt} />
      </td>
    </tr>
  )
}

function Choice({ label, value, values, choose }: { readonly label: string; readonly value: string; readonly values: readonly string[]; readonly choose: (value: string) => void }) {
  return (
    <label>
      <span class="hidden">{label}</span>
      <select value={value} onChange={(event) => choose(event.currentTarget.value)}>
        <option value="">{label}: all</option>
        {values.map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
      </select>
    </label>
  )
}

function ask(change: () => void): void {
  change()
  page([])
}

function page(to: readonly string[]): void {
  cursors.value = to
  relist()
}

function sortBy(path: string): void {
  ask(() => {
    order.value = sort.value === path && order.value === 'asc' ? 'desc' : 'asc'
    sort.value = path
  })
}

function typed(value: string): void {
  search.value = value
  cancelTyping()
  cancelTyping = after(150, () => page([]))
}
