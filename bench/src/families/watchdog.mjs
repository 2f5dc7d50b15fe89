/** The watchdog: how much of a core many components cost. */
import { setTimeout as sleep } from 'node:timers/promises'
import { load } from '../measure.mjs'

const COMPONENTS = 10_000

export const rows = [
  {
    id: 'watchdog.beats', work: '10,000 components at 1 beat/s', unit: '% core', goal: { op: '<=', value: 10, moonshot: 2 },
    async open() {
      const { startWatchdog, createHeartbeat } = await load('@timetick/watchdog')
      const watchdog = startWatchdog({ checkIntervalMs: 1000, timeoutMs: 10_000 })
      const beats = Array.from({ length: COMPONENTS }, (_, i) => {
        watchdog.register({ id: `c${i}`, status: () => 'healthy', clean: () => undefined, restart: () => undefined })
        return createHeartbeat(`c${i}`, 'healthy')
      })
      return { watchdog, beats }
    },
    /** Two seconds: a tenth of the components beats every 100 ms. Everything that this process does counts, the timer of the bench too. */
    async measure({ watchdog, beats }) {
      const begin = performance.now()
      const before = process.cpuUsage()
      for (let slice = 0; slice < 20; slice += 1) {
        for (let i = slice % 10; i < COMPONENTS; i += 10) watchdog.putHeartbeat(beats[i])
        await sleep(Math.max(0, begin + (slice + 1) * 100 - performance.now()))
      }
      const { user, system } = process.cpuUsage(before)
      return (user + system) / 10 / (performance.now() - begin)
    },
    close: (context) => context?.watchdog.close(),
  },
]
