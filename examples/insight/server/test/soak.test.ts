import { createMemoryKV } from '@timetick/kv/memory'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { startServer, World } from './real-server.ts'

const HOUR = 3_600_000
/** An hour and a half in the soak ring, or as long as `TIMETICK_SOAK_MINUTES` says; else long enough to see that nothing is left behind. */
const isSoak = process.env['TIMETICK_RING'] === 'soak'
const totalMs = isSoak ? Number(process.env['TIMETICK_SOAK_MINUTES'] ?? 90) * 60_000 : 5000
const ROWS = 500

/** MB an hour, by least squares over the second half: the first fills rings and histories. */
function slopeOf(samples: readonly (readonly [number, number])[]): number {
  const late = samples.slice(Math.floor(samples.length / 2))
  const mean = (pick: (sample: readonly [number, number]) => number): number => late.reduce((sum, sample) => sum + pick(sample), 0) / late.length
  const [time, heap] = [mean(([ms]) => ms), mean(([, bytes]) => bytes)]
  const over = late.reduce((sum, [ms, bytes]) => sum + (ms - time) * (bytes - heap), 0)
  const under = late.reduce((sum, [ms]) => sum + (ms - time) ** 2, 0)
  return under === 0 ? 0 : ((over / under) * HOUR) / 2 ** 20
}

test(`G13 ${Math.round(totalMs / 1000)} s at 100 events a second, clients coming and going: nothing grows, nothing is left open`, async () => {
  const world = new World()
  const before = process.getActiveResourcesInfo().length
  const server = await startServer(world, { kv: createMemoryKV(), limits: { maxClientsPerPeer: 100 } })
  const url = `ws://${server.served.address}/insight/v1/ws`
  const sockets: WebSocket[] = []
  const heap: [number, number][] = []
  const gc = (globalThis as { gc?: () => void }).gc
  let events = 0
  let joined = 0
  const join = (): void => {
    const socket = new WebSocket(url, 'insight.v1')
    socket.on('open', () => {
      joined++
      socket.send('{"t":"hello"}')
      socket.send('{"t":"sub","id":"s","cluster":"dev","topics":["*"]}')
      socket.send('{"t":"view","id":"v","cluster":"dev","kind":"collection","sort":"n","order":"desc","limit":100}')
    })
    socket.on('error', () => undefined)
    sockets.push(socket)
  }
  const begin = performance.now()
  let nextSample = 0
  for (let step = 0; performance.now() - begin < totalMs || joined < 3; step++) {
    for (let i = 0; i < 2; i++) {
      world.put(`default/${(events * 7) % ROWS}`, { id: String((events * 7) % ROWS), db: 'default', name: `c${events % 13}`, n: events })
      events++
    }
    if (events % 400 === 0) world.drop(`default/${events % ROWS}`)
    if (sockets.length < 20) join()
    if (step % 50 === 49) sockets.shift()?.terminate()
    if (performance.now() - begin >= nextSample) {
      nextSample += Math.max(1000, totalMs / 500)
      gc?.()
      heap.push([performance.now() - begin, process.memoryUsage().heapUsed])
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  // One that was just made may still be on its way.
  await expect.poll(() => server.insight.hub.clients - sockets.filter(({ readyState }) => readyState === WebSocket.OPEN).length).toBe(0)
  for (const socket of sockets) socket.terminate()
  await expect.poll(() => server.insight.hub.clients).toBe(0)
  await server.stop()
  expect(joined).toBeGreaterThan(2)
  await expect.poll(() => process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before + 5)
  // A few seconds say nothing about a slope, and without a collector asked for, nor do many.
  if (isSoak && totalMs >= HOUR) expect(slopeOf(heap)).toBeLessThanOrEqual(1)
}, totalMs + 120_000)
