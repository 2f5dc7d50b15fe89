import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { KINDS } from '../src/core/model.ts'
import { TestClient } from './client.ts'
import { portOfItsOwn } from './port.ts'
import { startServer, World, type Running } from './real-server.ts'

const isLong = process.env['TIMETICK_RING'] === 'ci' || process.env['TIMETICK_RING'] === 'soak'
const { clients: CLIENTS, drops: DROPS, restarts: RESTARTS } = isLong ? { clients: 50, drops: 10_000, restarts: 20 } : { clients: 20, drops: 300, restarts: 4 }

function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32
}

/** A client that comes back by itself, wherever it was, as the page does. */
class Comeback {
  readonly client = new TestClient()
  readonly failures: unknown[] = []
  drops = 0
  #socket: WebSocket | undefined
  #isDone = false
  readonly #url: string

  constructor(url: string) {
    this.#url = url
    this.#open()
  }

  /** The network goes, in the middle of whatever comes. */
  cut(): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false
    this.drops++
    this.#socket.terminate()
    return true
  }

  set isStuck(value: boolean) {
    if (value) this.#socket?.pause()
    else this.#socket?.resume()
  }

  end(): void {
    this.#isDone = true
    this.#socket?.terminate()
  }

  #open(): void {
    this.client.isLive = false
    const socket = new WebSocket(this.#url, 'insight.v1')
    this.#socket = socket
    socket.on('open', () => {
      for (const message of this.client.hello()) socket.send(message)
    })
    socket.on('message', (data: Buffer) => {
      if (this.#socket !== socket) return
      try {
        this.client.receive(data.toString())
      } catch (error) {
        this.failures.push(error)
      }
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      if (!this.#isDone && this.#socket === socket) setTimeout(() => this.#open(), 5)
    })
  }
}

const seed = Number(process.env['TIMETICK_SEED'] ?? 11)
test(`G6 W1 ${CLIENTS} clients on sockets, ${DROPS} random disconnects, ${RESTARTS} restarts and a stuck one: 0 lost, 0 doubled, 0 diverged (seed ${seed})`, async () => {
  const random = randomOf(seed)
  const world = new World()
  const options = { limits: { maxClientsPerPeer: 1000, messageBurst: 1e6, pauseBytes: 32_768, resumeBytes: 8192, dropBytes: 4 * 2 ** 20, maxPausedMs: 2000 } }
  const port = await portOfItsOwn()
  let server: Running = await startServer(world, { port, ...options })
  const all = Array.from({ length: CLIENTS }, () => new Comeback(`ws://127.0.0.1:${port}/insight/v1/ws`))
  const pick = (): Comeback => all[Math.floor(random() * all.length)] as Comeback
  const drops = (): number => all.reduce((sum, one) => sum + one.drops, 0)
  let step = 0
  let restarts = 0
  try {
    for (let cuts = 0; cuts < DROPS || restarts < RESTARTS; step++) {
      for (let i = 0; i < 5; i++) {
        const key = `default/${Math.floor(random() * 300)}`
        if (random() < 0.85) world.put(key, { name: `c${step % 11}`, n: step, pad: 'x'.repeat(Math.floor(random() * 200)) })
        else world.drop(key)
      }
      for (let i = 0; i < 4; i++) if (pick().cut()) cuts++
      if (step % 50 === 0) pick().isStuck = true
      if (step % 50 === 40) for (const one of all) one.isStuck = false
      if (cuts >= ((restarts + 1) * DROPS) / (RESTARTS + 1) && restarts < RESTARTS) {
        restarts++
        // Every other one dies without a goodbye: what it had in memory alone is lost.
        const kv = restarts % 2 === 0 ? await server.kill() : (await server.stop(), server.kv)
        server = await startServer(world, { kv, port, ...options })
      }
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    for (const one of all) one.isStuck = false
    const layer = server.insight.clusters.get('dev')?.layer
    const truth = new Map(KINDS.flatMap((kind) => [...(layer?.entities(kind) ?? [])].map(({ key, row }) => [`${kind}\n${key}`, row] as const)))
    expect(new Set(truth.keys())).toEqual(new Set([...world.rows.keys()].map((key) => `collection\n${key}`)))
    await expect.poll(() => all.filter(({ client }) => client.isLive && client.at?.seq === layer?.seq && client.at?.epoch === layer?.epoch).length, { timeout: 40_000 }).toBe(CLIENTS)
    for (const { client } of all) expect(client.rows).toEqual(truth)
    expect(all.flatMap(({ failures }) => failures)).toEqual([])
    expect(drops()).toBeGreaterThanOrEqual(DROPS)
    // Most come back to where they were; only new histories and lost rings begin anew.
    const [replays, resets] = [all.reduce((sum, { client }) => sum + client.replays, 0), all.reduce((sum, { client }) => sum + client.resets.length, 0)]
    expect(replays, `${replays} replays, ${resets} snapshots`).toBeGreaterThan(resets)
  } finally {
    for (const one of all) one.end()
    await server.stop()
  }
}, 300_000)
