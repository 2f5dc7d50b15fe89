/** Loaded before the node's program (`--import`): on SIGUSR2 it writes how long the event loop was held at most since the last time, in ms. */
import { writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

const RESOLUTION_MS = 1
const file = process.env.TIMETICK_LOOP_FILE
if (file !== undefined) {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delay.enable()
  process.on('SIGUSR2', () => {
    writeFileSync(file, String(Math.max(0, delay.max / 1e6 - RESOLUTION_MS)))
    delay.reset()
  })
}
