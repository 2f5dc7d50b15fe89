/** A disk that can stop answering: what is asked of it while it hangs is done when it answers again. */
import { FaultyDisk, type Gate } from './faulty-disk.ts'

type Files = ReturnType<FaultyDisk['logFiles']>
type Objects = ReturnType<FaultyDisk['objectFiles']>

export class HangingDisk extends FaultyDisk {
  #answers: Promise<void> = Promise.resolve()
  #release: () => void = () => undefined

  #logToo = true

  /** All of it, or only what holds objects. */
  hang(what: 'all' | 'objects' = 'all'): void {
    this.#logToo = what === 'all'
    this.#answers = new Promise((resolve) => (this.#release = resolve))
  }

  answer(): void {
    this.#release()
  }

  override logFiles(gate: Gate): Files {
    return super.logFiles(this.#hanging(gate, () => this.#logToo))
  }

  override objectFiles(gate: Gate): Objects {
    return super.objectFiles(this.#hanging(gate, () => true))
  }

  #hanging(gate: Gate, isOf: () => boolean): Gate {
    return async (run) => {
      if (isOf()) await this.#answers
      return gate(run)
    }
  }
}
