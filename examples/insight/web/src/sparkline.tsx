/** The last minutes of a number in a line without words; the number itself stands beside it. */
const WIDTH = 64
const HEIGHT = 22

export function Sparkline({ samples }: { readonly samples: readonly (readonly [number, number])[] }) {
  if (samples.length < 2) return null
  const recent = samples.slice(-120)
  const values = recent.map(([, value]) => value)
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const [first, last] = [recent[0]?.[0] ?? 0, recent.at(-1)?.[0] ?? 1]
  const x = (ts: number): number => (WIDTH * (ts - first)) / Math.max(1, last - first)
  const y = (value: number): number => (high === low ? HEIGHT / 2 : HEIGHT - 1 - ((HEIGHT - 2) * (value - low)) / (high - low))
  return (
    <svg class="spark" width={WIDTH} height={HEIGHT} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true">
      <polyline points={recent.map(([ts, value]) => `${x(ts).toFixed(1)},${y(value).toFixed(1)}`).join(' ')} fill="none" stroke="currentColor" stroke-width="1.5" />
    </svg>
  )
}
