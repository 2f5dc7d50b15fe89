/** Python with pymilvus, in a folder of its own: made once, under the conditions of installed.ts, where there is Python. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, renameSync, rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export const PYMILVUS = 'pymilvus==3.0.2'

const folder = fileURLToPath(new URL(`../../../../.cache/python-${PYMILVUS.replace('==', '-')}`, import.meta.url))
const script = fileURLToPath(new URL('premises.py', import.meta.url))

/** Virtual environments do not move: packages go to a folder instead. */
function install(): void {
  const next = `${folder}.${process.pid}`
  try {
    execFileSync('python3', ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', next, PYMILVUS], { stdio: 'pipe', timeout: 300_000 })
    if (!existsSync(folder)) renameSync(next, folder)
  } finally {
    rmSync(next, { recursive: true, force: true })
  }
}

/** Whether it is there. Where it cannot be had that is said, and is a failure where everything is required. */
export function hasPymilvus(): boolean {
  if (existsSync(folder)) return true
  const { TIMETICK_RING: ring, REQUIRE_SERVICES: required, TIMETICK_APPS: wanted } = process.env
  const isAsked = ring === 'ci' || ring === 'soak' || required === '1' || wanted === '1'
  if (!isAsked) {
    process.stderr.write('not tested: pymilvus; TIMETICK_APPS=1 installs it\n')
    return false
  }
  try {
    install()
    return true
  } catch (error) {
    if (required === '1') throw error
    process.stderr.write(`not tested: pymilvus cannot be installed here: ${error instanceof Error ? error.message.slice(0, 200) : 'unknown'}\n`)
    return false
  }
}

export interface PythonProcess {
  readonly child: ChildProcess
  /** One after the other. */
  ask(command: object): Promise<unknown>
  kill(): Promise<void>
}

export function startPython(): PythonProcess {
  const child = spawn('python3', [script], { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, PYTHONPATH: folder } })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  return {
    child,
    async ask(command) {
      child.stdin.write(`${JSON.stringify(command)}\n`)
      const { value, done } = await lines.next()
      if (done === true) throw new Error('Python ended')
      const { result, error } = JSON.parse(value) as { result?: unknown; error?: string }
      if (error !== undefined) throw new Error(error)
      return result
    },
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
