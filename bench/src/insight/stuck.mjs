/** Clients that ask for everything and read nothing. */
import { setTimeout as sleep } from 'node:timers/promises'
import { load } from '../measure.mjs'

const CLIENTS = 20
const EVENTS = 20_000
const PER_STEP = 200

const usedMb = () => {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / 2 ** 20
}

async function change(sink, round) {
  for (let i = 0; i < EVENTS; i += 1) {
    sink.upsert('node', `n${i % 100}`, { name: `n${i % 100}`, at: round * EVENTS + i, text: 'x'.repeat(600) + String(i) })
    if (i % PER_STEP === PER_STEP - 1) await sleep(25)
  }
}

/** What one of them costs the server at most while events come, MB. The ring is full before: it is there without them. */
export async function stuckMb({ served, sink, insight }) {
  await change(sink, 0)
  const { WebSocket } = await load('ws')
  const sockets = await Promise.all(Array.from({ length: CLIENTS }, () => new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://${served.address}/insight/v1/ws`, 'insight.v1')
    socket.once('error', reject)
    socket.once('open', () => {
      socket.send('{"t":"hello"}')
      socket.send('{"t":"sub","id":"s","cluster":"dev","topics":["*"]}')
    })
    socket.on('message', (data) => {
      if (!data.toString('latin1', 0, 20).startsWith('{"t":"live"')) return
      socket.pause()
      resolve(socket)
    })
  })))
  const before = usedMb()
  let most = 0
  const changing = change(sink, 1)
  let isDone = false
  void changing.finally(() => (isDone = true))
  while (!isDone) {
    await sleep(250)
    most = Math.max(most, usedMb() - before)
  }
  await changing
  const left = insight.hub?.clients
  for (const socket of sockets) socket.terminate()
  if (left !== undefined && left !== CLIENTS) throw new Error(`${left} of ${CLIENTS} stuck clients were left`)
  return most / CLIENTS
}
