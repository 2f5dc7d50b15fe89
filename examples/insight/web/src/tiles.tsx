/** Few numbers that say whether all is well, each with its last minutes. */
import { count, roughly } from './format.ts'
import { Sparkline } from './sparkline.tsx'
import { cluster, gauges, history, small } from './store.ts'

/** The gauge of a family with the largest value now. */
function worst(family: string): { readonly value: number; readonly key: string } | undefined {
  let found: { value: number; key: string } | undefined
  for (const [key, [, value]] of gauges.value) if (key.startsWith(`${family}{`) && value >= (found?.value ?? -Infinity)) found = { value, key }
  return found
}

export function Tiles() {
  const known = cluster.value
  const members = [...(small.value.get('watchdog')?.values() ?? []), ...(small.value.get('node')?.values() ?? []), ...(small.value.get('stream')?.values() ?? [])]
  const sick = members.filter(({ state }) => state !== undefined && state !== 'ok' && state !== 'healthy')
  return (
    <section class="tiles" aria-label="Overview">
      <Tile name="Collections" value={count(known?.counts['collection'])} />
      <Tile name="Segments" value={count(known?.counts['segment'])} />
      <Tile name="Clients" value={count(known?.counts['client'])} />
      <GaugeTile name="Calls a second" family="rpc.qps" />
      <GaugeTile name="Slowest p99" family="rpc.p99" unit="ms" />
      <GaugeTile name="Time tick lag" family="timetick.lag" unit="ms" />
      <GaugeTile name="Reader lag" family="stream.lag" unit="ms" />
      <GaugeTile name="Calls that wait" family="queue.waiting" />
      <Tile name="Not well" value={members.length === 0 ? '–' : String(sick.length)} isBad={sick.length > 0} hint={sick.map(({ name, state }) => `${String(name)}: ${String(state)}`).join(', ')} />
    </section>
  )
}

function GaugeTile({ name, family, unit = '' }: { readonly name: string; readonly family: string; readonly unit?: string }) {
  const all = gauges.value.get(`${family}{all}`)
  const found = all === undefined ? worst(family) : { value: all[1], key: `${family}{all}` }
  // A remote cluster does not tell these: an empty tile would say nothing.
  if (found === undefined) return null
  return <Tile name={name} value={`${roughly(found.value)}${unit === '' ? '' : ` ${unit}`}`} hint={`${found.key}: ${found.value}`} samples={history.get(found.key) ?? []} />
}

interface TileProps {
  readonly name: string
  readonly value: string
  readonly isBad?: boolean
  readonly hint?: string
  readonly samples?: readonly (readonly [number, number])[]
}

function Tile({ name, value, isBad = false, hint = '', samples }: TileProps) {
  return (
    <div class="tile" data-bad={isBad} title={hint}>
      <span>{name}</span>
      <strong>{value}</strong>
      {samples !== undefined && <Sparkline samples={samples} />}
    </div>
  )
}
