/** The table on the screen and `results/latest.json`. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const resultsFile = path.join(path.dirname(fileURLToPath(import.meta.url)), '../results/latest.json')

/** 1234567 as `1.23 M`. */
export function short(value) {
  if (value === undefined || value === null) return ''
  const size = Math.abs(value)
  for (const [limit, unit] of [[1e9, ' G'], [1e6, ' M'], [1e4, ' k']]) if (size >= limit) return `${(value / (unit === ' k' ? 1e3 : limit)).toPrecision(3)}${unit}`
  if (size >= 100 || Number.isInteger(value)) return String(Math.round(value))
  return value.toPrecision(3)
}

const goalText = ({ goal, ratio }) => (goal === undefined ? '' : `${goal.op} ${short(goal.value)}${(goal.of ?? (ratio === undefined ? 'value' : 'ratio')) === 'ratio' ? ' x' : ''}`)

export const HEADER = ['row', 'value', 'unit', 'reference', 'ratio', 'goal', 'met', 'spread']
const WIDTHS = [26, 10, 10, 26, 7, 12, 4, 7]
const pad = (cells) => cells.map((cell, i) => String(cell).padEnd(WIDTHS[i])).join(' ').trimEnd()

/** One line of the table. */
export function formatRow(row) {
  if (row === HEADER) return pad(HEADER)
  if (row.skipped !== undefined) return `${row.id.padEnd(WIDTHS[0])} skipped: ${row.skipped}`
  const reference = row.reference === undefined ? '' : `${short(row.referenceValue)} ${row.reference}`
  return pad([row.id, short(row.value), row.unit, reference, row.ratio === undefined ? '' : row.ratio.toFixed(2), goalText(row), row.met === undefined ? '' : row.met ? 'yes' : 'no', `${Math.round(row.spread * 100)} %`])
}

const commitOf = () => {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return 'unknown'
  }
}

/** Writes the results. Rows of an earlier run at the same commit on the same machine stay, unless measured again. */
export function writeResults(rows, file = resultsFile) {
  const cpus = os.cpus()
  const head = { machine: `${cpus.length} x ${cpus[0]?.model.trim() ?? process.arch}, ${Math.round(os.totalmem() / 2 ** 30)} GB, ${os.type()}`, node: process.versions.node, date: new Date().toISOString(), commit: commitOf() }
  let before = []
  if (existsSync(file)) {
    const old = JSON.parse(readFileSync(file, 'utf8'))
    if (old.commit === head.commit && old.machine === head.machine && old.node === head.node) before = old.rows
  }
  const measured = new Set(rows.map(({ id }) => id))
  const clean = rows.map(({ failed, ...row }) => row)
  const all = [...before.filter(({ id }) => !measured.has(id)), ...clean].sort((a, b) => (a.id < b.id ? -1 : 1))
  mkdirSync(path.dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify({ ...head, rows: all }, null, 2)}\n`)
  return head
}
