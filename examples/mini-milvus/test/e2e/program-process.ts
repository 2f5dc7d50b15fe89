/** One process of the built program. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { chosenFlags } from '../stores/chosen.ts'

export const program = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))

export interface Ready {
  readonly event: 'ready'
  readonly version: string
  readonly elapsedMs: number
  readonly address: string
  readonly metricsAddress: string
  readonly dataDir: string | undefined
  readonly stores?: string | undefined
  readonly collections: number
  readonly settings: readonly { readonly key: string; readonly value: string; readonly source: string }[]
}

export interface RunningProgram {
  readonly child: Pick<ChildProcess, 'pid' | 'kill'>
  readonly ready: Ready
  readonly address: string
  /** What it wrote to standard error so far. */
  errors(): string
  /** Sends the signal and gives the exit code (null when the signal ended it). */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

/** Starts the program on free ports and waits for its ready line. */
export async function startProcess(flags: readonly string[], options: { readonly nodeFlags?: readonly string[]; readonly env?: NodeJS.ProcessEnv } = {}): Promise<RunningProgram> {
  const args = [...(options.nodeFlags ?? []), program, '--port', '0', '--metrics-port', '0', '--log-format', 'json', ...flags, ...chosenFlags(flags)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env: options.env ?? process.env })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  const line = await new Promise<string>((resolve, reject) => {
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const end = text.indexOf('\n')
      if (end >= 0) resolve(text.slice(0, end))
    })
    child.once('exit', (code) => reject(new Error(`the node ended with ${code}: ${errors}`)))
  })
  const ready = JSON.parse(line) as Ready
  return {
    child,
    ready,
    address: ready.address,
    errors: () => errors,
    stop(signal = 'SIGTERM') {
      child.kill(signal)
      return ended
    },
  }
}
