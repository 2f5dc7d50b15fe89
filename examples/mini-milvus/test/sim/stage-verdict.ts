/**
 * Which rule is broken where somebody saw what no flush left. Each rule has its own trace, which is looked for in what was seen:
 * - R1, the order of one client: some of its writes are missing from the flush behind them (and come with a later one), or took effect in
 *   another order, or its own read has another place among its flushes;
 * - R2, nothing before its flush, and everything for everyone after it: writes that wait for their flush have taken effect;
 * - R3, what a client left unflushed goes with it, and only then: writes of a client that is gone took effect, or those of one that is there are lost;
 * - R4, definitions need no flush: what was dropped or truncated is there;
 * - atomicity: some rows are as before a flush and some as behind it;
 * - once: writes that were committed before took effect again.
 */
import { sameRows, type Commit, type Read, type Rows, type StageOp } from './stage-model.ts'

export type Broken = 'R1' | 'R2' | 'R3' | 'R4' | 'atomicity' | 'once' | 'unknown'

export interface Scene {
  readonly read: Read
  /** What was seen of the client. */
  readonly rows: Rows
  /** States of its that are what was seen, though not then. */
  readonly fitting: readonly number[]
  readonly least: number
  /** Commits that may be seen by this read. */
  readonly candidates: readonly number[]
  /** The read is the client's own, and has a place in its order. */
  readonly isOwn: boolean
}

type Op = StageOp & { readonly original: StageOp }

export interface Case {
  readonly chain: readonly Commit[]
  /** All that the client wrote, in order. */
  readonly ops: readonly Op[]
  /** Reads that saw it, the first first. */
  readonly wrong: readonly Scene[]
  readonly isSeenLater: (op: StageOp, read: Read) => boolean
}

/** Where several rules explain the same reads, the one that is told first; a loss shows in all later reads, a torn flush in one. */
const ORDER: readonly Broken[] = ['R4', 'R2', 'once', 'atomicity', 'R3', 'R1']
/** All sets of so many writes are tried. */
const MAX_OPS = 10

export function explain(found: Case): Broken {
  const [first] = found.wrong
  const newest = Math.max(...(first?.candidates ?? [0])) + 1
  const times = new Map<Broken, number>()
  // Later flushes begin with what is wrong already.
  for (const scene of found.wrong) {
    if (scene !== first && Math.max(...scene.candidates) > newest) continue
    for (const broken of explanations(found, scene)) times.set(broken, (times.get(broken) ?? 0) + 1)
  }
  const most = Math.max(0, ...times.values())
  return ORDER.find((broken) => times.get(broken) === most && most > 0) ?? 'unknown'
}

function explanations(found: Case, scene: Scene): Set<Broken> {
  const broken = new Set<Broken>()
  const { fitting, isOwn, read, least } = scene
  if (fitting.length > 0) {
    const isUnderWay = (found.chain[least]?.done ?? 0) > read.start
    // One collection was seen as behind the flush, and this one as before it.
    if (fitting.some((index) => index < least)) broken.add(isUnderWay ? 'atomicity' : 'R2')
    else if (isOwn) broken.add('R1')
    return broken
  }
  if (outlivesDefinition(found, scene)) broken.add('R4')
  if (takesEffectEarly(found, scene)) broken.add('R2')
  if (comesBack(found, scene)) broken.add('R3')
  if (isTorn(found, scene)) broken.add('atomicity')
  if (isRepeated(found, scene)) broken.add('once')
  for (const rule of lost(found, scene)) broken.add(rule)
  return broken
}

function stateOf({ chain }: Case, index: number, { read }: Scene): Rows {
  return chain[index]?.state.get(read.collection) ?? new Map<string, string>()
}

function after(rows: Rows, ops: readonly StageOp[]): Map<string, string> {
  const next = new Map(rows)
  for (const { apply } of ops) apply(next)
  return next
}

/** Non-empty choices of some of the ops, each in their order; of many ops those of the last. */
function* choices<T>(ops: readonly T[]): Generator<T[]> {
  const some = ops.slice(-MAX_OPS)
  for (let mask = 1; mask < 2 ** some.length; mask++) yield some.filter((_op, at) => (mask & (2 ** at)) !== 0)
}

function someChoice(found: Case, scene: Scene, ops: readonly Op[]): boolean {
  for (const choice of choices(ops)) {
    for (const index of scene.candidates) if (sameRows(scene.rows, after(stateOf(found, index, scene), choice))) return true
  }
  return false
}

function commitOf({ chain }: Case, op: Op): Commit | undefined {
  return chain.find(({ ops, void: gone }) => gone === Infinity && ops.includes(op.original))
}

/** As before a definition that emptied the collection. */
function outlivesDefinition(found: Case, scene: Scene): boolean {
  return scene.candidates.some((index) => found.chain[index]?.isDefinition === true && sameRows(scene.rows, stateOf(found, index - 1, scene)))
}

function takesEffectEarly(found: Case, scene: Scene): boolean {
  const { read } = scene
  const waiting = found.ops.filter((op) => op.collection === read.collection && op.at < read.end && op.droppedAt > read.start && (commitOf(found, op)?.sent ?? Infinity) >= read.end)
  return someChoice(found, scene, waiting)
}

function comesBack(found: Case, scene: Scene): boolean {
  const { read } = scene
  const dropped = found.ops.filter((op) => op.collection === read.collection && op.droppedAt <= read.end && commitOf(found, op) === undefined)
  return someChoice(found, scene, dropped)
}

function isTorn(found: Case, scene: Scene): boolean {
  const { candidates, rows } = scene
  return candidates.some((index) => {
    const next = candidates.find((other) => other > index)
    if (next === undefined) return false
    const [before, behind] = [stateOf(found, index, scene), stateOf(found, next, scene)]
    return [...new Set([...rows.keys(), ...before.keys(), ...behind.keys()])].every((key) => rows.get(key) === before.get(key) || rows.get(key) === behind.get(key))
  })
}

/** A run of what was committed, again. */
function isRepeated(found: Case, scene: Scene): boolean {
  for (const index of scene.candidates) {
    const old = found.chain.slice(0, index + 1).flatMap(({ ops }) => ops.filter(({ collection }) => collection === scene.read.collection)).slice(-3 * MAX_OPS)
    for (let from = 0; from < old.length; from++) {
      for (let to = from + 1; to <= old.length; to++) if (sameRows(scene.rows, after(stateOf(found, index, scene), old.slice(from, to)))) return true
    }
  }
  return false
}

/** Writes that their flush should have taken along, and did not, or in another order. */
function lost(found: Case, scene: Scene): Set<Broken> {
  const broken = new Set<Broken>()
  const { read, rows } = scene
  for (const index of scene.candidates) {
    const ops = found.chain[index]?.ops.filter(({ collection }) => collection === read.collection) ?? []
    if (index === 0 || ops.length === 0) continue
    const before = stateOf(found, index - 1, scene)
    for (const missing of choices(ops)) {
      if (!sameRows(rows, after(before, ops.filter((op) => !missing.includes(op))))) continue
      const isPrefix = ops.slice(0, missing.length).every((op) => missing.includes(op))
      broken.add(isPrefix && !missing.some((op) => found.isSeenLater(op, read)) ? 'R3' : 'R1')
    }
    ops.forEach((op, from) => {
      for (let to = 0; to < ops.length; to++) {
        const moved = ops.filter((other) => other !== op)
        moved.splice(to, 0, op)
        if (to !== from && sameRows(rows, after(before, moved))) broken.add('R1')
      }
    })
  }
  return broken
}
