/** From a method and a path to its route: one tree of path segments, `{name}` matches any one. */
import type { Route } from './route.ts'

export interface Found {
  readonly route: Route
  /** The path's own values, decoded. */
  readonly values: Readonly<Record<string, string>>
}

/** `methods` where the path exists and the method does not. */
export type Finding = Found | { readonly methods: readonly string[] } | undefined

interface Place {
  readonly next: Map<string, Place>
  any: Place | undefined
  readonly routes: Map<string, Route>
}

const place = (): Place => ({ next: new Map(), any: undefined, routes: new Map() })

export function createRouteFinder(routes: readonly Route[]): (method: string, path: string) => Finding {
  const root = place()
  const exact = new Map<string, Found>()
  for (const route of routes) {
    const { path, method } = route
    let at = root
    for (const segment of path.split('/').slice(1)) at = isName(segment) ? (at.any ??= place()) : nextOf(at, segment)
    if (at.routes.has(method)) throw new Error(`two routes for ${method} ${path}`)
    at.routes.set(method, route)
    if (!path.includes('{')) exact.set(`${method} ${path}`, { route, values: {} })
  }
  return (method, path) => exact.get(`${method} ${path}`) ?? walk(root, method, path)
}

function isName(segment: string): boolean {
  return segment.startsWith('{')
}

function nextOf(at: Place, segment: string): Place {
  let next = at.next.get(segment)
  if (next === undefined) at.next.set(segment, (next = place()))
  return next
}

/** Literal segments win over names; no path here needs to go back. */
function walk(root: Place, method: string, path: string): Finding {
  const segments = path.split('/').slice(1)
  let at: Place | undefined = root
  for (const segment of segments) {
    const literal: Place | undefined = at?.next.get(segment)
    at = literal ?? (segment === '' ? undefined : at?.any)
    if (at === undefined) return undefined
  }
  if (at.routes.size === 0) return undefined
  const route = at.routes.get(method)
  if (route === undefined) return { methods: [...at.routes.keys()] }
  const values = valuesOf(route, segments)
  return values === undefined ? undefined : { route, values }
}

/** A path whose escapes are wrong is no path. */
function valuesOf({ path }: Route, segments: readonly string[]): Readonly<Record<string, string>> | undefined {
  try {
    const named = path.split('/').slice(1).flatMap((segment, i) => (isName(segment) ? [[segment.slice(1, -1), decodeURIComponent(segments[i] ?? '')]] : []))
    return Object.fromEntries(named) as Record<string, string>
  } catch {
    return undefined
  }
}
