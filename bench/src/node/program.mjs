/** The node as users run it: the built program in a process of its own. */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Skip } from '../measure.mjs'

const program = fileURLToPath(new URL('../../../examples/mini-milvus/dist/cli.js', import.meta.url))

const loopWatch = pathToFileURL(fileURLToPath(new URL('loop-watch.mjs', import.meta.url))).href

export const newFolder = () => mkdtempSync(path.join(tmpdir(), 'timetick-bench-'))
export const removeFolder = (folder) => rmSync(folder, { recursive: true, force: true })

/** Starts it on a folder: `{ address, startMs, rssMb(), longestHoldMs(), stop() }`, times from spawn to the ready line. */
export async function startProgram(folder, flags = []) {
  if (!existsSync(program)) throw new Skip('mini-milvus is not built')
  const begin = performance.now()
  const loopFile = path.join(folder, '..', `${path.basename(folder)}-loop`)
  const child = spawn(process.execPath, ['--import', loopWatch, program, '--port', '0', '--metrics-port', '0', '--data-dir', folder, '--log-format', 'json', '--log-level', 'warn', ...flags], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, TIMETICK_LOOP_FILE: loopFile } })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const ready = await new Promise((resolve, reject) => {
    let text = ''
    child.stdout.on('data', (chunk) => {
      text += chunk
      const end = text.indexOf('\n')
      if (end >= 0) resolve(JSON.parse(text.slice(0, end)))
    })
    child.once('exit', (code) => reject(new Error(`the node ended with ${code} before it served`)))
  })
  return {
    address: ready.address,
    metricsAddress: ready.metricsAddress,
    startMs: performance.now() - begin,
    pid: child.pid,
    rssMb: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024,
    /** How long the event loop was held at most since this was last asked. */
    async longestHoldMs() {
      rmSync(loopFile, { force: true })
      child.kill('SIGUSR2')
      while (!existsSync(loopFile) || readFileSync(loopFile, 'utf8') === '') await sleep(5)
      return Number(readFileSync(loopFile, 'utf8'))
    },
    async stop() {
      child.kill('SIGTERM')
      await ended
      rmSync(loopFile, { force: true })
    },
  }
}
