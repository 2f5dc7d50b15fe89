/** Checkpoints of one run: taken on a timer or by hand, saved one after another. */
import { checkDuration, checkFunction, checkObject } from './arguments.ts'
import type { Checkpoint } from './checkpoint.ts'
import { beginCut, finalCheckpoint } from './cut.ts'
import type { Engine } from './engine.ts'
import type { CheckpointOptions } from './graph.ts'

export function checkCheckpoints({ store, intervalMs }: CheckpointOptions): void {
  checkObject('checkpoints.store', store)
  checkFunction('checkpoints.store.save', Reflect.get(store, 'save'))
  if (intervalMs !== undefined) checkDuration('checkpoints.intervalMs', intervalMs)
}

export class Checkpointer {
  readonly #engine: Engine
  readonly #options: CheckpointOptions | undefined
  #taking: Promise<Checkpoint> | undefined
  /** The last save; never rejects. */
  #saving: Promise<void> = Promise.resolve()
  #cancelTimer: (() => void) | undefined
  #stopped = false

  constructor(engine: Engine, options: CheckpointOptions | undefined) {
    this.#engine = engine
    this.#options = options
  }

  start(): void {
    const intervalMs = this.#options?.intervalMs ?? 10_000
    if (this.#options === undefined || intervalMs === 0 || this.#stopped) return
    const again = (): void => this.start()
    // What fails here stops the graph, which tells.
    this.#cancelTimer = this.#engine.clock.setTimer(() => void this.take().then(again, () => {}), intervalMs)
  }

  take(): Promise<Checkpoint> {
    this.#taking ??= this.#take().finally(() => (this.#taking = undefined))
    return this.#taking
  }

  /** The graph has ended by itself: its last word. */
  finish(): Promise<void> {
    const last = this.#options === undefined ? undefined : finalCheckpoint(this.#engine)
    void this.stop()
    if (last !== undefined) this.#save(last).catch(() => {})
    return this.#saving
  }

  /** Resolves when no save is out. */
  stop(): Promise<void> {
    this.#stopped = true
    this.#cancelTimer?.()
    return this.#saving
  }

  async #take(): Promise<Checkpoint> {
    let saved: Promise<void> | undefined
    // Saving begins at once: the last checkpoint of a graph that ends in the same breath must come after it.
    const checkpoint = await beginCut(this.#engine, (whole) => {
      if (this.#options === undefined) return
      saved = this.#save(whole)
      saved.catch(() => {})
    })
    await saved
    return checkpoint
  }

  #save(checkpoint: Checkpoint): Promise<void> {
    const saved = this.#saving.then(() => this.#options?.store.save(checkpoint))
    this.#saving = saved.catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error)
      const message = `the checkpoint at tick ${checkpoint.timeTick} was not saved: ${reason}`
      this.#engine.fail('FLOW_CHECKPOINT_FAILED', message, undefined, checkpoint.timeTick, error)
    })
    return saved
  }
}
