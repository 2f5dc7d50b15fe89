/** The built program: a process, or where the tests run on a cluster, one that stands for it. */
import { spawn } from 'node:child_process'
import { isOnCluster, startChosenProgram } from '../cluster/chosen.ts'
import { program, type RunningProgram, startProcess } from './program-process.ts'

export type { RunningProgram } from './program-process.ts'

/** Starts the program on free ports and waits for its ready line. On a cluster, the data folder is the cluster's. */
export async function startProgram(flags: readonly string[], options: { readonly nodeFlags?: readonly string[] } = {}): Promise<RunningProgram> {
  if (isOnCluster && flags.includes('--data-dir')) return startChosenProgram(flags)
  return startProcess(flags, options)
}

/** Runs the program to its end. */
export function runProgram(flags: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [program, ...flags], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })
}
