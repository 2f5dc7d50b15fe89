/** Runs a program in its own process group, keeps its output, and ends the whole group when it takes too long. */
import { spawn } from 'node:child_process'
import path from 'node:path'
import { repoRoot } from './repo.mjs'

const running = new Set()
const endGroup = (child, signal) => {
  try {
    process.kill(-child.pid, signal)
  } catch {}
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => {
    for (const child of running) endGroup(child, 'SIGKILL')
    process.exit(130)
  })
}
process.on('exit', () => running.forEach((child) => endGroup(child, 'SIGKILL')))

/** Gives `{ code, output, timedOut, ms }`; never rejects. `echo` also passes output on while it comes. */
export function exec(command, args, { cwd = repoRoot, env = {}, timeoutMs = 10 * 60_000, echo = false } = {}) {
  return new Promise((resolve) => {
    const begin = performance.now()
    const child = spawn(command, args, { cwd, detached: true, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    running.add(child)
    const chunks = []
    let timedOut = false
    const take = (chunk) => {
      chunks.push(chunk)
      if (echo) process.stdout.write(chunk)
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    const timer = setTimeout(() => {
      timedOut = true
      endGroup(child, 'SIGKILL')
    }, timeoutMs)
    const finish = (code) => {
      clearTimeout(timer)
      if (!running.delete(child)) return
      endGroup(child, 'SIGKILL')
      resolve({ code, timedOut, ms: performance.now() - begin, output: Buffer.concat(chunks).toString() })
    }
    child.once('error', (error) => {
      chunks.push(Buffer.from(String(error)))
      finish(127)
    })
    child.once('close', (code) => finish(code ?? 1))
    // A left-over grandchild may hold the pipes open for ever.
    child.once('exit', (code) => setTimeout(() => finish(code ?? 1), 2000).unref())
  })
}

/** The script of a program in node_modules, to be run by a Node of our choice. */
export const binOf = (name) => path.join(repoRoot, 'node_modules', name)
