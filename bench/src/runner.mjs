/**
 * Runs rows. A family file exports `rows`, each
 *
 *     { id, work, unit, goal?: { op: '>=' | '<=' | '>' | '<', value, of?: 'value' | 'ratio', moonshot? },
 *       measure(context, shared), reference?: 'name', measureReference?(context, shared),
 *       open?(shared) -> context, close?(context), runs?, warmups? }
 *
 * and, where rows share something dear, `isolation = 'family'` with `prepare() -> shared` and `finish(shared)`; else each row has a process of its
 * own. `measure` gives one number in `unit`. A row with a reference is measured A B A B, so that both meet the same moods of the machine; `value` and
 * `referenceValue` are medians, `spread` is (largest - smallest) / median of ours. A goal is on the ratio where there is a reference, unless `of` says otherwise.
 */
import { fork } from 'node:child_process'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { median, Skip } from './measure.mjs'

const here = path.dirname(fileURLToPath(import.meta.url))
const familiesDir = path.join(here, 'families')
const MIN_RUNS = 5

/** `kv` matches `kv`, `kv.save.one` and all rows of the family file `kv`, not `kvs`. No filter matches all. */
export const isChosen = (id, filters, family = undefined) => filters.length === 0 || filters.some((filter) => id === filter || filter === family || id.startsWith(`${filter}.`))

const compare = { '>=': (a, b) => a >= b, '<=': (a, b) => a <= b, '>': (a, b) => a > b, '<': (a, b) => a < b }

/** Whether a goal is met, or undefined without a goal. */
export function isMet(goal, value, ratio) {
  if (goal === undefined) return undefined
  const of = goal.of ?? (ratio === undefined ? 'value' : 'ratio')
  const measured = of === 'ratio' ? ratio : value
  return measured === undefined ? undefined : compare[goal.op](measured, goal.value)
}

/** Measures one row in this process: the row of the results. */
export async function measureRow(row, shared) {
  const { id, work, unit, goal, reference } = row
  const head = { id, work, unit }
  let context
  try {
    context = await row.open?.(shared)
    const ours = []
    const theirs = []
    for (let run = -(row.warmups ?? 1); run < Math.max(row.runs ?? MIN_RUNS, MIN_RUNS); run += 1) {
      const value = await row.measure(context, shared)
      const other = await row.measureReference?.(context, shared)
      if (!Number.isFinite(value)) throw new Error(`measure gave ${value}`)
      if (run < 0) continue
      ours.push(value)
      if (other !== undefined) theirs.push(other)
    }
    const value = median(ours)
    const referenceValue = theirs.length > 0 ? median(theirs) : undefined
    const ratio = referenceValue === undefined ? undefined : value / referenceValue
    return { ...head, value, reference, referenceValue, ratio, goal, met: isMet(goal, value, ratio), runs: ours.length, spread: (Math.max(...ours) - Math.min(...ours)) / Math.abs(value) }
  } catch (error) {
    if (error instanceof Skip) return { ...head, goal, skipped: error.message }
    return { ...head, goal, skipped: `failed: ${error.message}`, failed: error.stack }
  } finally {
    await row.close?.(context)
  }
}

/** Measures the chosen rows of one family in this process, handing each result to `emit`. */
export async function measureFamily(family, ids, emit) {
  let shared
  let prepared
  try {
    shared = await family.prepare?.()
    prepared = true
  } catch (error) {
    const skipped = error instanceof Skip ? error.message : `failed: ${error.message}`
    for (const row of family.rows.filter(({ id }) => ids.includes(id))) emit({ id: row.id, work: row.work, unit: row.unit, goal: row.goal, skipped, ...(error instanceof Skip ? {} : { failed: error.stack }) })
  }
  if (!prepared) return
  try {
    for (const row of family.rows) if (ids.includes(row.id)) emit(await measureRow(row, shared))
  } finally {
    await family.finish?.(shared)
  }
}

function inChild(file, ids, emit) {
  return new Promise((resolve) => {
    const child = fork(path.join(here, 'child.mjs'), [file, ...ids], { execArgv: ['--expose-gc'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const left = new Set(ids)
    child.on('message', (row) => {
      left.delete(row.id)
      emit(row)
    })
    child.on('exit', (code, signal) => {
      for (const id of left) emit({ id, skipped: `failed: the process ended with ${code ?? signal}`, failed: String(code ?? signal) })
      resolve()
    })
  })
}

/** All families on disk: `{ name, file, module }`. One that cannot be loaded is `{ name, problem }`. */
export async function loadFamilies(dir = familiesDir) {
  const families = []
  for (const name of readdirSync(dir).filter((file) => file.endsWith('.mjs')).sort()) {
    const file = path.join(dir, name)
    try {
      families.push({ name: name.slice(0, -4), file, module: await import(pathToFileURL(file).href) })
    } catch (error) {
      families.push({ name: name.slice(0, -4), file, problem: error.message })
    }
  }
  return families
}

/** Measures everything that the filters choose: the rows of the results, `emit`ted one by one too. */
export async function runBench(filters, emit = () => {}, families = undefined) {
  const rows = []
  const take = (row) => {
    rows.push(row)
    emit(row)
  }
  for (const { name, file, module, problem } of families ?? (await loadFamilies())) {
    if (problem !== undefined) {
      if (filters.length === 0 || filters.some((filter) => filter.split('.')[0] === name)) take({ id: name, skipped: `failed: ${problem}`, failed: problem })
      continue
    }
    const ids = module.rows.map(({ id }) => id).filter((id) => isChosen(id, filters, name))
    if (ids.length === 0) continue
    if (module.isolation === 'family') await inChild(file, ids, take)
    else for (const id of ids) await inChild(file, [id], take)
  }
  return rows
}
