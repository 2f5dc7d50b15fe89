/** Processes that are not our children: alive, and still the same? */
import { readFileSync } from 'node:fs'

/** The kernel's start time of a process (field 22 of `stat`), `undefined` if it is gone or a zombie; 0 without procfs. */
export function startTimeOf(pid) {
  let stat
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    if (process.platform === 'linux') return undefined
    try {
      process.kill(pid, 0)
      return 0
    } catch {
      return undefined
    }
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : Number(fields[19])
}

/** Whether the process `{ pid, startTime? }` runs, and is not another one that got its number. */
export function isAlive({ pid, startTime }) {
  const now = startTimeOf(pid)
  return now !== undefined && (startTime === undefined || now === startTime)
}
