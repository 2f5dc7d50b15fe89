/** Rectangles along the axes, as indexes of geometries have them. x is a longitude, y a latitude where distances are meters. */
export interface Box {
  readonly minX: number
  readonly minY: number
  readonly maxX: number
  readonly maxY: number
}

const NUMBER = String.raw`[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?`
const PAIRS = new RegExp(String.raw`[(,]\s*(${NUMBER})\s+(${NUMBER})`, 'g')

/** What a geometry in WKT lies in, by the first two numbers of each of its points. Undefined: it has none, or one that is not finite. */
export function boxOf(wkt: string): Box | undefined {
  let minX = Infinity
  let minY = Infinity
  let maxX = -Infinity
  let maxY = -Infinity
  for (const [, first, second] of wkt.matchAll(PAIRS)) {
    const x = Number(first)
    const y = Number(second)
    if (x < minX) minX = x
    if (x > maxX) maxX = x
    if (y < minY) minY = y
    if (y > maxY) maxY = y
  }
  return [minX, minY, maxX, maxY].every(Number.isFinite) ? { minX, minY, maxX, maxY } : undefined
}

export function doMeet(a: Box, b: Box): boolean {
  return a.minX <= b.maxX && b.minX <= a.maxX && a.minY <= b.maxY && b.minY <= a.maxY
}

/** Of the sphere that Milvus measures on. */
const EARTH_RADIUS_METERS = 6_371_000
const RADIANS = Math.PI / 180

export function metersBetween(ax: number, ay: number, bx: number, by: number): number {
  const half = Math.sin(((by - ay) * RADIANS) / 2) ** 2 + Math.cos(ay * RADIANS) * Math.cos(by * RADIANS) * Math.sin(((bx - ax) * RADIANS) / 2) ** 2
  return 2 * EARTH_RADIUS_METERS * Math.atan2(Math.sqrt(half), Math.sqrt(Math.max(0, 1 - half)))
}

/** All points within a distance of one lie in it: near the poles, and across the 180th meridian, whatever their longitude is. */
export function boxAround(x: number, y: number, meters: number): Box {
  // A little more, as sines are rounded.
  const latitudes = (meters / EARTH_RADIUS_METERS / RADIANS) * (1 + 1e-9) + 1e-9
  const minY = y - latitudes
  const maxY = y + latitudes
  const nearPole = minY <= -90 || maxY >= 90
  const ratio = Math.sin(Math.min(Math.PI / 2, latitudes * RADIANS)) / Math.cos(y * RADIANS)
  const longitudes = nearPole || ratio >= 1 ? Infinity : (Math.asin(ratio) / RADIANS) * (1 + 1e-9) + 1e-9
  const isWhole = x - longitudes < -180 || x + longitudes > 180
  return { minX: isWhole ? -Infinity : x - longitudes, maxX: isWhole ? Infinity : x + longitudes, minY: nearPole ? -Infinity : minY, maxY: nearPole ? Infinity : maxY }
}
