import { expect, test } from 'vitest'
import { Turns } from '../../src/querynode/turns.ts'

/** A loop whose turns end when the test says so, and whose work takes the time that it says. */
function fakeLoop() {
  let now = 0
  let turn = 0
  let ends: (() => void)[] = []
  const log: { readonly name: string; readonly turn: number }[] = []
  const turns = new Turns({ monotonic: () => now, yieldToLoop: () => new Promise((resolve) => ends.push(resolve)) })
  return {
    log,
    turns,
    async work(name: string, slices: number, ms: number): Promise<void> {
      for (let slice = 0; slice < slices; slice++) {
        const wait = turns.next()
        if (wait !== undefined) await wait
        log.push({ name, turn })
        now += ms
      }
    },
    async endTurn(): Promise<void> {
      turn++
      const ending = ends
      ends = []
      for (const end of ending) end()
      for (let microtasks = 0; microtasks < 20; microtasks++) await Promise.resolve()
    },
    async untilDone(all: Promise<unknown>): Promise<void> {
      let isDone = false
      void all.then(() => (isDone = true))
      while (!isDone) {
        if (turn > 1000) throw new Error('never done')
        await this.endTurn()
      }
    },
  }
}

test('a turn has a few milliseconds of all long work together', async () => {
  const loop = fakeLoop()
  await loop.untilDone(Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => loop.work(name, 10, 3))))
  expect(loop.log).toHaveLength(50)
  const perTurn = new Map<number, number>()
  for (const { turn } of loop.log) perTurn.set(turn, (perTurn.get(turn) ?? 0) + 1)
  expect(Math.max(...perTurn.values())).toBeLessThanOrEqual(2)
})

test('whoever waits goes on in the order in which they came', async () => {
  const loop = fakeLoop()
  await loop.untilDone(Promise.all([loop.work('a', 4, 6), loop.work('b', 4, 6), loop.work('c', 4, 6)]))
  const first = ['a', 'b', 'c'].map((name) => loop.log.filter((entry) => entry.name === name).map(({ turn }) => turn))
  for (const turns of first) expect(Math.max(...turns.slice(1).map((turn, i) => turn - (turns[i] ?? 0)))).toBeLessThanOrEqual(3)
})

test('work that fits into a turn does not wait, also in later turns', async () => {
  const loop = fakeLoop()
  for (let round = 0; round < 3; round++) {
    expect(loop.turns.next()).toBeUndefined()
    await loop.endTurn()
  }
})
