/** What just changed, newest first; it can be paused, and filtered by type. */
import { useSignal } from '@preact/signals'
import { Age } from './age.tsx'
import { feed, isFeedPaused, selected } from './store.ts'

export function Feed() {
  const type = useSignal('')
  const types = [...new Set(feed.value.map((event) => event.type))].sort()
  const shown = feed.value.filter((event) => type.value === '' || event.type === type.value).slice(0, 100)
  return (
    <section class="feed" aria-labelledby="feed-title">
      <div class="bar">
        <h2 id="feed-title">Changes</h2>
        <label>
          <span class="hidden">Type</span>
          <select value={type.value} onChange={(event) => (type.value = event.currentTarget.value)}>
            <option value="">all</option>
            {types.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
        <button aria-pressed={isFeedPaused.value} onClick={() => (isFeedPaused.value = !isFeedPaused.value)}>
          {isFeedPaused.value ? 'Go on' : 'Pause'}
        </button>
      </div>
      {shown.length === 0 && <p class="empty">Nothing has changed since you came.</p>}
      <div role="log" aria-live="off" aria-label="Changes" tabIndex={0}>
        <ol>
        {shown.map(({ seq, ts, type: what, key, data }) => {
          const [, id] = key.split('/')
          const name = typeof data['name'] === 'string' ? data['name'] : key
          return (
            <li key={seq}>
              <time>
                <Age since={ts} />
              </time> <b>{what}</b>{' '}
              {id === undefined ? (
                <bdi>{name}</bdi>
              ) : (
                <button class="name" onClick={() => (selected.value = id)}>
                  <bdi>{name}</bdi>
                </button>
              )}
              {'from' in data && 'to' in data && ` ${String(data['from'])} → ${String(data['to'])}`}
            </li>
          )
        })}
        </ol>
      </div>
    </section>
  )
}
