/** Lines of beats for any number of readers, each with its own bounded buffer. */
import type { ComponentHeartbeat } from './component.ts'
import type { HeartbeatDump } from './watchdog.ts'

const MAX_LINE_LENGTH = 65_536

interface Reader {
  put(beat: string | undefined): void
  end(): void
}

export class DumpHub {
  readonly #readers = new Set<Reader>()
  #closed = false

  /** Serializes only if somebody reads. */
  put(beat: ComponentHeartbeat): void {
    if (this.#readers.size === 0) return
    const line = toLine(beat)
    for (const reader of this.#readers) reader.put(line)
  }

  open(maxBuffered: number): HeartbeatDump {
    const dump = {
      dropped: 0,
      [Symbol.asyncIterator]: (): AsyncIterator<string> => this.#read(maxBuffered, () => void dump.dropped++),
    }
    return dump
  }

  /** Readers get what waits for them, then the end. */
  close(): void {
    this.#closed = true
    for (const reader of this.#readers) reader.end()
    this.#readers.clear()
  }

  #read(maxBuffered: number, onDrop: () => void): AsyncIterator<string> {
    let lines: string[] = []
    const waiting: ((result: IteratorResult<string>) => void)[] = []
    let ended = this.#closed
    const end = (): void => {
      ended = true
      for (const resolve of waiting.splice(0)) resolve({ done: true, value: undefined })
    }
    const reader: Reader = {
      put(line) {
        if (line === undefined) return onDrop()
        const resolve = waiting.shift()
        if (resolve !== undefined) return resolve({ done: false, value: line })
        lines.push(line)
        if (lines.length <= maxBuffered) return
        lines.shift()
        onDrop()
      },
      end,
    }
    if (!ended) this.#readers.add(reader)
    return {
      next: () => {
        const line = lines.shift()
        if (line !== undefined) return Promise.resolve({ done: false, value: line })
        if (ended) return Promise.resolve({ done: true, value: undefined })
        return new Promise((resolve) => waiting.push(resolve))
      },
      return: () => {
        this.#readers.delete(reader)
        lines = []
        end()
        return Promise.resolve({ done: true, value: undefined })
      },
    }
  }
}

/** `undefined` for a beat that cannot say itself in one line of bearable length. */
function toLine(beat: ComponentHeartbeat): string | undefined {
  try {
    const line: unknown = beat.serialize()
    return typeof line === 'string' && line.length <= MAX_LINE_LENGTH ? line.replaceAll(/[\r\n]+/g, ' ') : undefined
  } catch {
    return undefined
  }
}
