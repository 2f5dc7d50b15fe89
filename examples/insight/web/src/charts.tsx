/** Gauges over the last minutes, a line for each key, with one cursor for all charts. The newest values stand in a table too. */
import { useEffect, useRef } from 'preact/hooks'
import UPlot from 'uplot'
import { roughly } from './format.ts'
import { gauges, history } from './store.ts'

const MAX_LINES = 8
const COLOURS = ['#315efb', '#c2410c', '#15803d', '#a21caf', '#0e7490', '#b91c1c', '#4d7c0f', '#6d28d9']

/** In the order in which one looks at them; what is not named here comes behind. */
const TITLES: Readonly<Record<string, string>> = {
  'timetick.lag': 'Time tick lag, ms',
  'stream.lag': 'How far readers of the log are behind, ms',
  'rpc.qps': 'Calls a second',
  'rpc.p99': 'Calls, p99, ms',
  'queue.waiting': 'Calls that wait in their queue',
  staged: 'Staged work',
  'queue.running': 'Calls that run',
  'rpc.p50': 'Calls, p50, ms',
  'rpc.errors': 'Calls that failed, a second',
  'datanode.buffered': 'Bytes that no segment holds yet',
  'heartbeat.age': 'Since the last heartbeat, ms',
  'node.cpu': 'Processor, % of one',
  'node.memory': 'Memory, bytes',
  'node.loop': 'Lateness of the event loop, ms',
}
const OPEN = 5

export function Charts() {
  const groups = new Map<string, string[]>()
  for (const key of gauges.value.keys()) {
    const name = key.replace(/\{.*$/, '')
    groups.set(name, [...(groups.get(name) ?? []), key])
  }
  if (groups.size === 0) return null
  const order = Object.keys(TITLES)
  const rank = (name: string): number => (order.includes(name) ? order.indexOf(name) : order.length)
  const sorted = [...groups].toSorted(([a], [b]) => rank(a) - rank(b))
  const draw = ([name, keys]: readonly [string, string[]]) => <Chart key={name} name={TITLES[name] ?? name} keys={largest(keys)} />
  return (
    <section aria-label="Charts">
      {sorted.slice(0, OPEN).map(draw)}
      {sorted.length > OPEN && (
        <details>
          <summary>{sorted.length - OPEN} more charts</summary>
          {sorted.slice(OPEN).map(draw)}
        </details>
      )}
    </section>
  )
}

/** A chart of many lines shows the largest; in the order of their names, so that colours stay. */
function largest(keys: readonly string[]): readonly string[] {
  if (keys.length <= MAX_LINES) return keys
  return keys.toSorted((a, b) => (gauges.value.get(b)?.[1] ?? 0) - (gauges.value.get(a)?.[1] ?? 0)).slice(0, MAX_LINES).toSorted()
}

function Chart({ name, keys }: { readonly name: string; readonly keys: readonly string[] }) {
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<UPlot | undefined>(undefined)
  const signature = keys.join('\n')
  useEffect(() => {
    const element = place.current
    if (element === null) return
    const colour = getComputedStyle(element).color
    const axis = { stroke: colour, grid: { stroke: 'rgba(128,128,128,.2)' }, ticks: { stroke: 'rgba(128,128,128,.2)' } }
    const drawn = new UPlot(
      {
        width: element.clientWidth,
        height: 160,
        legend: { show: false },
        cursor: { sync: { key: 'insight' } },
        // One value alone has no axis of its own: a minute at least is shown.
        scales: { x: { range: (_plot, min, max) => [Math.min(min, max - 60), max] } },
        axes: [axis, { ...axis, values: (_plot, values) => values.map((value) => roughly(value)) }],
        series: [{}, ...signature.split('\n').map((key, i) => ({ label: key, stroke: COLOURS[i % COLOURS.length] ?? '#315efb', width: 1.5, points: { show: false } }))],
      },
      dataOf(signature.split('\n')),
      element,
    )
    plot.current = drawn
    const observer = new ResizeObserver(() => drawn.setSize({ width: element.clientWidth, height: 160 }))
    observer.observe(element)
    return () => {
      observer.disconnect()
      drawn.destroy()
    }
  }, [signature])
  useEffect(() => {
    if (document.visibilityState === 'visible') plot.current?.setData(dataOf(keys))
  }, [gauges.value, keys])
  return (
    <figure>
      <figcaption>{name}</figcaption>
      <div ref={place} class="plot" aria-hidden="true" />
      <table class="latest">
        <caption class="hidden">Newest values of {name}</caption>
        <tbody>
          {keys.map((key, i) => (
            <tr key={key}>
              <th scope="row" style={{ borderColor: COLOURS[i % COLOURS.length] ?? '' }}>
                {/\{(.*)\}$/.exec(key)?.[1] ?? key}
              </th>
              <td class="number">{roughly(gauges.value.get(key)?.[1] ?? 0)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </figure>
  )
}

/** Lines over one axis of seconds; a line without a value at a second has a gap there. */
function dataOf(keys: readonly string[]): UPlot.AlignedData {
  const seconds = new Set<number>()
  const lines = keys.map((key) => new Map((history.get(key) ?? []).map(([ts, value]) => [Math.round(ts / 1000), value])))
  for (const line of lines) for (const second of line.keys()) seconds.add(second)
  const axis = [...seconds].sort((a, b) => a - b)
  return [axis, ...lines.map((line) => axis.map((second) => line.get(second) ?? null))]
}
