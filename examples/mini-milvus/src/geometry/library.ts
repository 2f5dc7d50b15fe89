/** Exact predicates of geometries, by jsts. It is loaded when a filter first asks for one: it has many files. */
export interface Geometry {
  isEmpty(): boolean
  getGeometryType(): string
  getNumGeometries(): number
  getGeometryN(index: number): Geometry
}

interface Point {
  readonly x: number
  readonly y: number
}

type Relate = (a: Geometry, b: Geometry) => boolean

export interface GeometryLibrary {
  /** Undefined where it is no WKT that the library knows. */
  read(wkt: string): Geometry | undefined
  readonly equals: Relate
  readonly touches: Relate
  readonly overlaps: Relate
  readonly crosses: Relate
  readonly contains: Relate
  readonly intersects: Relate
  isValid(geometry: Geometry): boolean
  /** The points of both that are nearest to each other, on the plane. */
  nearest(a: Geometry, b: Geometry): readonly [Point, Point]
}

let library: GeometryLibrary | undefined
let loading: Promise<void> | undefined

/** Undefined when it is there. */
export function loadGeometry(): Promise<void> | undefined {
  if (library !== undefined) return undefined
  loading ??= load().then(
    (loaded) => void (library = loaded),
    (error: unknown) => {
      loading = undefined
      throw error
    },
  )
  return loading
}

export function geometryLibrary(): GeometryLibrary {
  if (library === undefined) throw new Error('the library of geometries is not loaded')
  return library
}

interface Relations {
  equalsTopo: Relate
  touches: Relate
  overlaps: Relate
  crosses: Relate
  contains: Relate
  intersects: Relate
}

async function load(): Promise<GeometryLibrary> {
  const [{ default: Reader }, { default: relate }, { default: distance }, { default: valid }] = await Promise.all([
    import('jsts/org/locationtech/jts/io/WKTReader.js') as Promise<unknown> as Promise<{ default: new () => { read(text: string): Geometry } }>,
    import('jsts/org/locationtech/jts/operation/relate/RelateOp.js') as Promise<unknown> as Promise<{ default: Relations }>,
    import('jsts/org/locationtech/jts/operation/distance/DistanceOp.js') as Promise<unknown> as Promise<{ default: { nearestPoints(a: Geometry, b: Geometry): readonly [Point, Point] } }>,
    import('jsts/org/locationtech/jts/operation/valid/IsValidOp.js') as Promise<unknown> as Promise<{ default: { isValid(geometry: Geometry): boolean } }>,
  ])
  const reader = new Reader()
  return {
    read(wkt) {
      try {
        return reader.read(onPlane(wkt))
      } catch {
        return undefined
      }
    },
    equals: (a, b) => relate.equalsTopo(a, b),
    touches: (a, b) => relate.touches(a, b),
    overlaps: (a, b) => relate.overlaps(a, b),
    crosses: (a, b) => relate.crosses(a, b),
    contains: (a, b) => relate.contains(a, b),
    intersects: (a, b) => partsOf(a).some((part) => partsOf(b).some((other) => relate.intersects(part, other))),
    isValid: (geometry) => valid.isValid(geometry),
    nearest: (a, b) => distance.nearestPoints(a, b),
  }
}

/** The library relates no collections; what meets a part of one meets it. */
function partsOf(geometry: Geometry): readonly Geometry[] {
  if (geometry.getGeometryType() !== 'GeometryCollection') return [geometry]
  return Array.from({ length: geometry.getNumGeometries() }, (_, index) => partsOf(geometry.getGeometryN(index))).flat()
}

const NUMBER = String.raw`[-+.\deE]+`
const MEASURED = /\b(?:ZM|Z|M)(?=\s*(?:\(|EMPTY))/gi
const FURTHER = new RegExp(String.raw`([(,]\s*${NUMBER}\s+${NUMBER})(?:\s+${NUMBER})+`, 'g')

/** Relations are those of the first two dimensions. */
function onPlane(wkt: string): string {
  return wkt.replace(/^\s*SRID=\d+;/i, '').replace(MEASURED, '').replace(FURTHER, '$1')
}
