/** Logs go to standard error: JSON lines by pino, or short lines for people. */
import { destination, pino } from 'pino'
import type { NodeLogger } from '../node/logger.ts'

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const

export function createLogger(level: string, format: 'text' | 'json'): NodeLogger {
  if (format === 'json') return pino({ level, base: null }, destination({ dest: 2, sync: true }))
  const least = levels.indexOf(level as (typeof levels)[number])
  const print =
    (name: (typeof levels)[number]) =>
    (fields: Readonly<Record<string, unknown>>, message: string): void => {
      if (levels.indexOf(name) >= least) process.stderr.write(`${name}: ${oneLine(message)}${causeOf(fields)}\n`)
    }
  return { debug: print('debug'), info: print('info'), warn: print('warn'), error: print('error') }
}

function causeOf({ err }: Readonly<Record<string, unknown>>): string {
  return err instanceof Error ? `: ${oneLine(err.message)}` : ''
}

function oneLine(text: string): string {
  return text.replaceAll(/[\r\n]+/g, ' ')
}
